"""Throws sessions that are nearly right at a running wstunnel, and watches it. Tests/fuzz.sh starts this."""

import argparse
import collections
import os
import shutil
import signal
import sys
import tempfile
import time

import agents
import sessions
import wire

# How often the good tunnel is asked, and memory, descriptors and log are looked at: each so many sessions.
CHECK_EVERY = 100
# What is allocated once, and the tokens that a server remembers, are there after so much of the time.
WARM_UP = 0.25
# So many sessions are kept for a failure: what breaks a program may have come a little before.
KEPT = 100


def play(name, options):
    """Runs one player; gives how many sessions there were.

    Raises Finding.
    """
    player = sessions.PLAYERS[name]()
    folder = tempfile.mkdtemp(prefix="wstunnel-fuzz-")
    journals = collections.deque(maxlen=KEPT)
    number, count, world = options.session or 0, 0, None
    start = time.monotonic()
    try:
        world = agents.World(options.binary, folder, player.server_options, player.tunnels)
        player.begin(world)
        end = start + options.minutes * 60
        warm = start + options.minutes * 60 * WARM_UP
        while time.monotonic() < end:
            journal = []
            journals.append((number, journal))
            # Each session has numbers of its own, so that one of them can be played again alone.
            random = wire.Random(options.seed * 1_000_003 + number)
            try:
                player.run(random, journal)
            except OSError as error:
                raise agents.Finding("session %d cannot begin: %s" % (number, error))
            world.check_alive()
            count += 1
            if options.session is not None:
                world.check()
                break
            number += 1
            if number % CHECK_EVERY == 0:
                world.check()
                if world.server.baseline is None and time.monotonic() > warm:
                    world.warmed_up()
        world.check()
        world.check_settled()
        usage = ", ".join("%s %d MiB" % (agent.name, agent.usage[0] >> 20) for agent in world.agents)
        world.stop()
        seconds = time.monotonic() - start
        print("%-9s ok: %d sessions in %d s; %s" % (name, count, seconds, usage), flush=True)
    except agents.Finding as finding:
        kept = keep(name, options, number, journals, folder, world)
        print("%-9s FAILED at session %d: %s" % (name, number, finding))
        print("          again: Tests/fuzz.sh --seed %d --only %s [--session %d]; what was sent: %s" % (
            options.seed, name, number, kept), flush=True)
        return False
    finally:
        if world is not None:
            world.kill()
        shutil.rmtree(folder, ignore_errors=True)
    return True


def keep(name, options, number, journals, folder, world):
    """Writes down what the last sessions sent, and what the programs said."""
    target = os.path.join(options.keep, "%s-%d-%d" % (name, options.seed, number))
    os.makedirs(target, exist_ok=True)
    for session, journal in journals:
        with open(os.path.join(target, "session-%06d" % session), "w") as file:
            for connection, data in journal:
                file.write("%s %s\n" % (connection, data.hex()))
    for entry in os.listdir(folder):
        if entry.endswith((".out", ".yaml", ".log")):
            shutil.copy(os.path.join(folder, entry), target)
    for agent in world.agents if world else []:
        with open(os.path.join(target, agent.name + ".last-lines"), "w") as file:
            file.write("\n".join(agent.last_lines) + "\n")
    return target


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--binary", required=True)
    parser.add_argument("--minutes", type=float, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--only", choices=sorted(sessions.PLAYERS))
    parser.add_argument("--session", type=int)
    parser.add_argument("--keep", required=True)
    options = parser.parse_args()
    # As Ctrl-C does: what was started is ended.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    print("seed %d" % options.seed, flush=True)
    names = [options.only] if options.only else list(sessions.PLAYERS)
    try:
        results = [play(name, options) for name in names]
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0 if all(results) else 1)


if __name__ == "__main__":
    main()
