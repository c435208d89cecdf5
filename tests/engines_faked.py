"""Small programs that stand in for game engines: good ones, and ones that fail in every way."""

import sys

UCI = r"""
import os, signal, subprocess, sys, time
mode, flag = sys.argv[1], sys.argv[-1]
def say(*lines):
    sys.stdout.write("".join(line + "\n" for line in lines)); sys.stdout.flush()
def go(line):
    if mode == "hangs":
        time.sleep(3600)
    if mode == "chatters":
        while True:
            say("info depth 1 nodes 1")
    if mode == "dies" or mode == "dies once" and not os.path.exists(flag):
        open(flag, "w").close()
        sys.stderr.write("it was the hash table\n"); sys.stderr.flush()
        os._exit(3)
    if mode == "floods":
        sys.stderr.write("deep in thought\n" * 100_000); sys.stderr.flush()
    if mode == "tells":
        say("info string " + line)
    say("info depth 1 score cp 100 nodes 7", "info depth 2 score cp -400 nodes 9 pv e2e4")
    say("info depth 2 multipv 2 score mate 1 nodes 9", "info score", "info string score cp 1")
    say("bestmove " + {"nonsense": "e2e5", "silent": ""}.get(mode, "e2e4"))
if mode == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("pid", subprocess.Popen(["sleep", "3600"]).pid, file=open(flag, "w"))
for line in sys.stdin:
    words = line.split()
    if words == ["uci"]:
        say("id name Fake 1", "option name Hash type spin default 1 min 1 max 64")
        say("option name Ponder Well type check default false", "uciok")
    elif words[0] == "isready":
        say("readyok")
    elif words[0] == "setoption":
        print(line.strip(), file=open(flag, "a"))
    elif words[0] == "go":
        go(line)
    elif words[0] == "quit" and mode != "stubborn":
        break
while mode == "stubborn":
    time.sleep(3600)
"""

GTP = r"""
import sys
mode, log = sys.argv[1], open(sys.argv[2], "a")
answers = {"protocol_version": "1" if mode == "old" else "2", "name": "Fake",
           "list_commands": "name\nlevel\ngenmove\nestimate_score", "estimate_score": "W+10.0"}
if mode == "noisy":
    print("welcome", end="\n\n", flush=True)
for line in sys.stdin:
    number, command, *rest = line.split()
    print(command, *rest, file=log, flush=True)
    text = answers.get(command, "")
    if command == "genmove":
        text = {"resigns": "resign", "nonsense": "Z99"}.get(mode, "a1")
    sign = "?" if mode == "refuses" and command == "komi" else "="
    print(f"{sign}{number} {text}", end="\n\n", flush=True)
    if command == "quit":
        break
"""


def faked(folder, source: str, mode: str, log: str = "log") -> list[str]:
    """The command of a fake, which notes what it was told (or that it died) in a file."""
    script = folder / "fake.py"
    script.write_text(source, encoding="utf-8")
    return [sys.executable, "-I", "-S", str(script), mode, str(folder / log)]
