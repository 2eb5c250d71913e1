//! The real pkexec, with a bus and a policy daemon of the test's own: whom it names commands the agent, and its rule
//! allows no other words.

use std::path::Path;
use std::process::Command;

use super::harness::Agent;
use super::{PLACE, Place, facts_of};
use host_setup::facts::Privilege;
use host_setup::protocol::Op;

/// The rule of the documentation, and who asks it. All of it ends with the namespace of processes.
const DAEMONS: &str = r#"
mkdir -p /run/dbus /etc/polkit-1/rules.d
cat >/etc/polkit-1/rules.d/10-septet.rules <<'RULE'
polkit.addRule(function(action, subject) {
    if (action.id == "org.freedesktop.policykit.exec" && subject.user == "nobody"
        && action.lookup("program") == "/mnt/bin/septet-host"
        && action.lookup("command_line") == "/mnt/bin/septet-host agent") {
        return polkit.Result.YES;
    }
});
RULE
chmod 644 /etc/polkit-1/rules.d/10-septet.rules
dbus-daemon --system --nofork --nopidfile >/dev/null 2>&1 </dev/null &
has() { dbus-send --system --print-reply --dest=org.freedesktop.DBus / org.freedesktop.DBus.NameHasOwner "string:$1"; }
until has org.freedesktop.DBus >/dev/null 2>&1; do sleep 0.05; done
/usr/lib/polkit-1/polkitd --no-debug >/dev/null 2>&1 </dev/null &
until has org.freedesktop.PolicyKit1 2>/dev/null | grep -q 'boolean true'; do sleep 0.05; done
"#;

/// In a namespace of processes, which ends with the shell.
fn command(place: &Place, script: &str) -> Command {
    let mut command = Command::new("timeout");
    command.args(["120", "unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]);
    // pkexec serves nobody whose parent is the first process, which it takes for one that has died.
    command.args(["sh", "-c", "\"$@\"; exit $?", "sh"]);
    let inner = place.command("", &format!("{PLACE}{DAEMONS}{script}"));
    command.arg(inner.get_program()).args(inner.get_args());
    command
}

#[test]
fn whom_pkexec_names_commands_too() {
    let Some(place) = Place::new() else { return };
    for program in ["/usr/bin/pkexec", "/usr/bin/dbus-daemon", "/usr/bin/dbus-send", "/usr/lib/polkit-1/polkitd"] {
        if !Path::new(program).is_file() {
            println!("skipped: there is no {program}");
            return;
        }
    }
    let mut agent = Agent::start_by(command(&place, "$as_nobody pkexec /mnt/bin/septet-host agent"));
    let facts = facts_of(&mut agent).expect("facts");
    assert!(facts.privilege == Privilege::Root && facts.stacks.is_empty(), "{:?}", facts.stacks);
    agent.ok(Op::Bye);
    assert_eq!(agent.close(), 0);
    for words in ["agent --as-root", "restore", "'agent '"] {
        let mut tried = command(&place, &format!("$as_nobody pkexec /mnt/bin/septet-host {words} </dev/null"));
        let said = tried.output().expect("a shell");
        assert!([Some(126), Some(127)].contains(&said.status.code()), "{words}: {said:?}");
    }
}
