"""Models trained in forks, in new processes, by joblib and in threads that fork: the bits of one process.

See `test_processes.py`, which sends "200 fork" and such lines to the standard input if there are no arguments.

    python tests/faults/processes_child.py 200 [fork threads spawn loky threading]
"""

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np
from threads_child import JOBS, together

WAIT = 60  # seconds after which a process hangs
FRESH = 20  # rounds after which pools of processes are new ones
POOLS = {}


def work(k):
    """The weights of one job, as bytes."""
    warnings.simplefilter("ignore")
    return k, np.array(JOBS[k]()).tobytes()


def differing(found, ref):
    """The jobs whose weights are not those of one process."""
    return [k for k, bits in found if bits != ref[k]]


def forked(jobs, ref):
    """Fork a process that does some jobs; gives its number. Its status says whether they came to the same bits."""
    child = os.fork()
    if child:
        return child
    status = 3
    try:
        faulthandler.register(signal.SIGALRM, all_threads=True, chain=True)
        signal.alarm(WAIT)  # which ends it if it waits for what no thread of this process will do
        status = 2 if differing(map(work, jobs), ref) else 0
    except BaseException as error:
        os.write(2, f"in a fork: {type(error).__name__}: {error}\n".encode())
    finally:
        os._exit(status)


def ended(child):
    """Raise if a fork ended badly."""
    status = os.waitpid(child, 0)[1]
    if status:
        signalled = os.WIFSIGNALED(status)
        raise RuntimeError("a fork hung" if signalled and os.WTERMSIG(status) == signal.SIGALRM else f"status {status}")


def fork(order, ref):
    """Two processes at once, that share what this one has compiled."""
    for child in [forked(order[part::2], ref) for part in range(2)]:
        ended(child)


def threads(order, ref):
    """Eight threads that train, while others fork processes that train as well."""
    errors = []

    def forking(part):
        try:
            for step in range(2):
                time.sleep(0.002 * part)
                ended(forked(order[part + 4 * step :: 11], ref))
        except Exception as error:
            errors.append(str(error))

    forks = [threading.Thread(target=forking, args=(part,)) for part in range(3)]
    for thread in forks:
        thread.start()
    found, failed = together(order)
    for thread in forks:
        thread.join()
    if errors or failed:
        raise RuntimeError(f"{len(errors + failed)} errors, {(errors + failed)[0]}")
    compare([(k, bits.tobytes()) for k, bits in enumerate(found)], ref)


def compare(found, ref):
    """Raise if any weights are not those of one process."""
    wrong = differing(found, ref)
    if wrong:
        raise RuntimeError(f"other bits of job {wrong[0]} and {len(wrong) - 1} more")


def spawn(order, ref):
    """Processes that import and compile for themselves."""
    pool = POOLS.get("spawn")
    if pool is None:
        pool = POOLS["spawn"] = ProcessPoolExecutor(2, multiprocessing.get_context("spawn"))
    compare(pool.map(work, order, timeout=WAIT), ref)


def loky(order, ref):
    from joblib import Parallel, delayed

    compare(Parallel(n_jobs=2, backend="loky", timeout=WAIT)(delayed(work)(k) for k in order), ref)


def threading_(order, ref):
    from joblib import Parallel, delayed

    compare(Parallel(n_jobs=8, backend="threading")(delayed(work)(k) for k in order), ref)


WAYS = {"fork": fork, "threads": threads, "spawn": spawn, "loky": loky, "threading": threading_}


def renew():
    """End the pools, so that the next round has new processes."""
    for pool in POOLS.values():
        pool.shutdown()
    POOLS.clear()
    if "joblib" in sys.modules:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True)


def main(rounds, ways):
    warnings.simplefilter("ignore")
    sys.setswitchinterval(1e-5)
    draw, ref = np.random.default_rng(rounds), [work(k)[1] for k in range(len(JOBS))]
    began = time.monotonic()
    for k in range(rounds):
        for way in ways:
            try:
                WAYS[way](draw.permutation(len(JOBS)).tolist(), ref)
            except Exception as error:
                sys.exit(f"round {k}, {way}: {type(error).__name__}: {error}")
        if k % FRESH == FRESH - 1:
            renew()
    renew()
    print("the same bits")
    print(
        f"{rounds} rounds of {len(JOBS)} jobs in {', '.join(ways)}: {time.monotonic() - began:.0f} s", file=sys.stderr
    )


if __name__ == "__main__":
    if sys.argv[1:]:
        main(int(sys.argv[1]), sys.argv[2:])
    else:
        for line in sys.stdin:
            rounds, *ways = line.split()
            main(int(rounds), ways)
            print("done", flush=True)
