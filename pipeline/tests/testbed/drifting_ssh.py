#!/usr/bin/env python3
"""Stands in for ssh: the clock of one host drifts, as everybody sees it who speaks to its agent.

DRIFTS names the host and how many nanoseconds its clock gains in a millisecond, as in south:1000 (one in a thousand).
What the agent says of its clock is changed on the way out, and what it is told by that clock on the way in, so that agent
and generators have one clock, which is another one than the client's. All else is ssh's.
"""
import os
import re
import subprocess
import sys
import threading

REAL = "/usr/bin/ssh"
host, gained = os.environ["DRIFTS"].split(":")
words = sys.argv[1:]
destination = words[words.index("--") + 1] if "--" in words else ""
if destination != host or "septet-host" not in words[-1] or "agent" not in words[-1]:
    os.execv(REAL, [REAL, *words])

RATE = int(gained)
CLOCK = re.compile(rb'(mono_ns\\?":)(\d+)')
zero = None


def out(found):
    """As the drifting clock shows it."""
    global zero
    ns = int(found[2])
    zero = ns if zero is None else zero
    return found[1] + b"%d" % (ns + (ns - zero) * RATE // 1_000_000)


def back(found):
    """As the host's real clock shows it."""
    ns = int(found[2])
    if zero is None:
        return found[0]
    return found[1] + b"%d" % (zero + (ns - zero) * 1_000_000 // (1_000_000 + RATE))


agent = subprocess.Popen([REAL, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


def tell():
    for line in sys.stdin.buffer:
        try:
            agent.stdin.write(CLOCK.sub(back, line))
            agent.stdin.flush()
        except BrokenPipeError:
            return
    agent.stdin.close()


threading.Thread(target=tell, daemon=True).start()
while line := agent.stdout.readline():
    sys.stdout.buffer.write(CLOCK.sub(out, line))
    if bulk := re.match(rb'\{"bulk":.*"len":(\d+)', line):
        sys.stdout.buffer.write(agent.stdout.read(int(bulk[1])))
    sys.stdout.buffer.flush()
# Not by the interpreter's end, which waits for the thread that reads our input.
code = agent.wait()
sys.stdout.flush()
os._exit(code if code >= 0 else 255)
