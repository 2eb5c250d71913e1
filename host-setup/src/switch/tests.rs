//! What holds for every switch of the table, one that does nothing but exist among them.

use proptest::prelude::*;

use super::*;
use crate::facts::Privilege;

fn any_memory() -> impl Strategy<Value = Option<Memory>> {
    prop_oneof![Just(None), Just(Some(Memory::Hugepages2m)), Just(Some(Memory::NoHuge))]
}

fn any_descriptor() -> impl Strategy<Value = &'static Descriptor> {
    (0..descriptors().len()).prop_map(|place| &descriptors()[place])
}

proptest! {
    #[test]
    fn what_is_refused_by_the_rule_is_not_rendered_and_all_else_is(
        descriptor in any_descriptor(),
        ports in 0u32..80,
        cores in 0u32..12,
        queues in 0u16..6,
        memory in any_memory(),
    ) {
        let shape = Shape { ports, cores, queues, memory, uplink: None };
        match render(&descriptor.name, &shape) {
            Ok(text) => prop_assert!(descriptor.check(&shape).is_ok() && text.ends_with('\n')),
            Err(RenderError::Refused(refusal)) => prop_assert_eq!(descriptor.check(&shape), Err(refusal)),
            Err(error) => {
                prop_assert_eq!(error, RenderError::NotDriven(descriptor.name.clone()));
                prop_assert!(!is_driven(&descriptor.name));
            }
        }
    }

    #[test]
    fn a_test_is_possible_if_and_only_if_some_host_can_render_it(
        descriptor in any_descriptor(),
        ports in 0u32..80,
        cores in 1u32..12,
        queues in 0u16..6,
    ) {
        prop_assume!(is_driven(&descriptor.name));
        let offered = |memory| descriptor.shape(&Shape { ports, cores, queues, memory, uplink: None });
        let memories = [None, Some(Memory::Hugepages2m), Some(Memory::NoHuge)];
        let rendered = memories.iter().any(|memory| render(&descriptor.name, &offered(*memory)).is_ok());
        // Nobody runs on cores that a switch without a program of its own leaves unused.
        let unused = cores > 1 && descriptor.cores.given(cores) == 0;
        prop_assert_eq!(descriptor.possible(ports, cores, queues, false).is_ok(), rendered && !unused);
    }
}

#[test]
fn a_descriptor_survives_the_way_to_whoever_asks() {
    for descriptor in descriptors() {
        let json = serde_json::to_string(descriptor).expect("JSON");
        assert_eq!(serde_json::from_str::<Descriptor>(&json).expect("a descriptor"), *descriptor);
    }
}

#[test]
fn names_differ_and_what_is_made_of_programs_can_come_from_a_stack() {
    for (place, descriptor) in descriptors().iter().enumerate() {
        let Descriptor { name, programs, io, packages, .. } = descriptor;
        assert!(descriptors()[..place].iter().all(|other| other.name != *name), "{name}");
        assert!(!io.is_empty(), "{name}");
        assert!(*programs || packages.is_empty(), "{name}");
        let is_of_programs = crate::stack::components().contains(&&**name);
        assert_eq!(is_of_programs, *programs && is_driven(name), "{name}");
        let software = software(name, Privilege::Root, &Source::system());
        assert!(is_of_programs || matches!(software, Ok(None)), "{name}: {software:?}");
    }
}

#[test]
fn a_switch_that_does_nothing_but_exist_is_known_by_its_line_alone() {
    let idle = descriptor("idle").expect("it is in the table");
    let shape = idle.shape(&Shape { ports: 2, cores: 1, queues: 1, memory: Some(Memory::NoHuge), uplink: None });
    assert_eq!(render("idle", &shape).expect("it can be so"), "idle with 2 ports\n");
    let refused = render("idle", &Shape { ports: 8, ..shape }).expect_err("it has six").to_string();
    assert_eq!(refused, "idle cannot have 8 ports: it has six");
    assert_eq!((idle.ends.of(0), idle.ends.folder(1), idle.memory_mib(2)), (End::Driver, 1, 5));
    assert!(container_sysctls("idle").is_empty());
}

#[test]
fn a_switch_that_is_data_alone_is_rendered_from_it() {
    let mut custom = descriptor("idle").expect("it is in the table").clone();
    custom.name = "custom:mine".into();
    let shape = Shape { ports: 2, cores: 1, queues: 1, memory: Some(Memory::NoHuge), uplink: None };
    let unknown = custom.render(&shape).expect_err("nobody drives it");
    assert_eq!(unknown, RenderError::Unknown("custom:mine".into()));
    custom.configuration =
        Some(Template(vec![Piece::Once("mine\n".into()), Piece::EachPort(vec!["p{port}\n".into()])]));
    assert_eq!(custom.render(&shape).expect("a text"), "mine\np0\np1\n");
    assert!(
        custom.render(&Shape { cores: 2, ..shape }).is_err_and(|error| error.to_string().contains("sleeps on one"))
    );
}
