#!/usr/bin/env python3
"""Work in steps, and say after each that it was made. Nothing but Python is needed.

    sentinel-run --beat-on app --tee steps -- python3 examples/heartbeat.py
    sentinel-watch steps

With `--beat-on app` nothing but what the program says itself counts as a sign
of life: a program that is stuck, or busy going round in circles, is called hung.
To see that (it takes some seconds, and its exit status is 124):

    sentinel-run --beat-on app --heartbeat-interval 1s --stale 3s --end-if-stale \\
        --tee steps -- python3 examples/heartbeat.py --hang-at 3

The three things to copy:

* `beat()` touches $SENTINEL_HEARTBEAT, and tells $NOTIFY_SOCKET, if there is one.
  Call it where work was done, never from a timer or a thread of its own.
* `on_signal()` takes note of a signal; the program ends by that same signal. A
  handler that exits 0 would make an interrupted run look like a success.
* `leave_result()` writes JSON to $SENTINEL_RESULT; a watcher prints it.

Without sentinel-run the program does the same work and tells nobody.
"""

import argparse
import json
import os
import signal
import socket
import sys
import time

caught = None


def on_signal(number, _frame):
    """Takes note; the loop below looks at it between two steps."""
    global caught
    caught = number
    os.write(2, f"caught {signal.Signals(number).name}: ending after this step\n".encode())


def notify(text):
    """Sends TEXT to $NOTIFY_SOCKET as sd_notify(3) does."""
    path = os.environ.get("NOTIFY_SOCKET")
    if not path:
        return
    if path.startswith("@"):  # an abstract socket
        path = "\0" + path[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sock:
        try:
            sock.sendto(text.encode(), path)
        except OSError as error:
            print(f"cannot notify: {error}", file=sys.stderr)


def beat(status):
    """One sign of life. STATUS is shown by watchers as the progress of the job."""
    heartbeat = os.environ.get("SENTINEL_HEARTBEAT")
    if heartbeat:
        try:
            os.utime(heartbeat)
        except OSError as error:
            print(f"cannot beat: {error}", file=sys.stderr)
    notify(f"WATCHDOG=1\nSTATUS={status}")


def leave_result(result):
    """Leaves RESULT for whoever watches."""
    path = os.environ.get("SENTINEL_RESULT")
    if path:
        with open(path, "w", encoding="utf-8") as file:
            json.dump(result, file)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=8)
    parser.add_argument("--step-time", type=float, default=0.5, metavar="SECONDS")
    parser.add_argument("--hang-at", type=int, metavar="STEP", help="hang in this step")
    args = parser.parse_args()

    signal.signal(signal.SIGTERM, on_signal)
    signal.signal(signal.SIGINT, on_signal)

    total = 0
    done = 0
    for step in range(1, args.steps + 1):
        print(f"step {step} of {args.steps}", flush=True)
        if step == args.hang_at:
            print("hanging", flush=True)
            while caught is None:
                time.sleep(1)
        else:
            time.sleep(args.step_time)  # here the work is done
            total += step
            done = step
            beat(f"{step} of {args.steps} steps")
        if caught is not None:
            break

    leave_result({"steps": done, "total": total, "complete": done == args.steps})
    if caught is not None:
        # End by the signal itself, so that nobody takes this for a success.
        signal.signal(caught, signal.SIG_DFL)
        os.kill(os.getpid(), caught)


if __name__ == "__main__":
    main()
