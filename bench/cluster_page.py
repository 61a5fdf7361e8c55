"""Write docs/cluster.md and its picture from the newest results of `cluster.py`: `python bench/cluster_page.py`.

The text is in `cluster_page.md`; this script fills in the figures.
"""

import json
from pathlib import Path

ROOT = Path(__file__).parent.parent
ROWS, FEATURES = 1e12, 16
CORES, SHARDS_A_CORE, SYNCS, CORE_HOUR = 1600, 2, 4, 0.05
COUNTED = ("syncs", "iterations")
STATE_BYTES = 3000  # size of a neuron of 16 inputs when it is sent: six small arrays in NumPy's .npz


def percent(loss, reference):
    return f"{(loss / reference - 1.0) * 100.0:+.4f} %"


def loss_table(found):
    """One line per number of shards, one column per number of syncs; with and without averaged SGD inside shards."""
    syncs = sorted({entry["syncs"] for entry in found["averaged"]})
    lines = [
        "| | " + " | ".join(f"{s} sync{'s' * (s > 1)} an epoch" for s in syncs) + " |",
        "|---" * (len(syncs) + 1) + "|",
    ]
    for averaged in (True, False):
        reference = found["one_machine" if averaged else "one_machine_last_weights"]
        for shards in sorted({entry["shards"] for entry in found["averaged"]}):
            row = {
                e["syncs"]: e["log_loss"]
                for e in found["averaged"]
                if (e["shards"], e["average"]) == (shards, averaged)
            }
            name = f"{shards} shards, `average={averaged}`"
            lines.append(f"| {name} | " + " | ".join(percent(row[s], reference) for s in syncs) + " |")
    return "\n".join(lines)


def sorted_table(found):
    syncs = [entry["syncs"] for entry in found["averaged"]]
    cells = [percent(entry["log_loss"], found["shuffled_one_machine"]) for entry in found["averaged"]]
    alone = percent(found["sorted_one_machine"], found["shuffled_one_machine"])
    return "\n".join(
        [
            "| one machine | " + " | ".join(f"{s} sync{'s' * (s > 1)}" for s in syncs) + " |",
            "|---" * (len(syncs) + 1) + "|",
            f"| {alone} | " + " | ".join(cells) + " |",
        ]
    )


def time_table(found):
    """How long each contender took, and whether it got within 0.1 % of the least log loss."""
    lines = ["| | seconds | log loss above the least |", "|---|---|---|"]
    least = found["target"] / 1.001
    for entry in found["tries"]:
        more = "".join(f", {entry[what]} {what[: len(what) - (entry[what] == 1)]}" for what in COUNTED if what in entry)
        late = "" if close(entry, found) else " (not within 0.1 %)"
        lines.append(f"| {entry['who']}{more} | {entry['seconds']:.2f} | {percent(entry['log_loss'], least)}{late} |")
    return "\n".join(lines)


def seconds_of(found, who):
    """Seconds of the first contender whose name begins with `who` and which got close enough."""
    return next(entry["seconds"] for entry in found["tries"] if entry["who"].startswith(who) and close(entry, found))


def close(entry, found):
    return entry["log_loss"] <= found["target"]


def sync_cost(throughput):
    """Seconds that a task of a round costs in addition to its rows, for two workers and 8 shards."""
    seconds = throughput["seconds"]
    return (seconds["64"]["2"] - seconds["1"]["2"]) / 63 / 8


def far(results):
    """What each part of a run on 10^12 rows costs, in core-hours and in minutes on the cluster."""
    parquet, task = results["parquet"], sync_cost(results["throughput"])
    train = results["throughput"]["seconds"]["1"]["1"] / results["throughput"]["rows"] * 1e9
    shards = CORES * SHARDS_A_CORE
    reading = parquet["core_ns_a_row"] - train
    hours = {
        "training": ROWS * train * 1e-9 / 3600.0,
        "reading and decompressing": ROWS * reading * 1e-9 / 3600.0,
    }
    lines = ["| | core-hours | on the cluster | money |", "|---|---|---|---|"]
    for name, value in hours.items():
        lines.append(f"| {name} | {value:,.0f} | {value * 60.0 / CORES:,.1f} min | {value * CORE_HOUR:,.0f} |")
    rounds = (SYNCS + 1) * shards * task
    lines.append(f"| one scheduler: labels and {SYNCS} syncs, {shards:,} tasks each | | {rounds / 60.0:,.1f} min | |")
    total = sum(hours.values())
    lines.append(
        f"| total | {total:,.0f} | {total * 60.0 / CORES + rounds / 60.0:,.1f} min | {total * CORE_HOUR:,.0f} |"
    )
    return {
        "bytes": f"{ROWS * parquet['bytes_a_row'] / 1e12:,.0f} TB",
        "raw": f"{ROWS * 8 * (FEATURES + 1) / 1e12:,.0f} TB",
        "a_row": f"{parquet['bytes_a_row']:.0f}",
        "table": "\n".join(lines),
        "train": f"{train:.0f}",
        "read": f"{reading:.0f}",
        "share": f"{100.0 * (1.0 - hours['training'] / total):.0f}",
        "task": f"{task * 1e3:.1f}",
        "shards": f"{shards:,}",
        "rows_a_shard": f"{ROWS / shards:,.0f}",
        "network": f"{shards * STATE_BYTES * 2 * SYNCS / 1e6:,.0f} MB",
        "rate": f"{ROWS * parquet['bytes_a_row'] / CORES / (total * 3600.0 / CORES) / 1e6:,.0f} MB/s",
        "store": f"{ROWS * parquet['bytes_a_row'] / 100e9 / 60.0:,.0f}",
        "many": f"{1_000_000 * task / 60.0:,.0f} min",
        "chain": f"{ROWS * parquet['ns_a_row'] * 1e-9 / 86400.0:,.1f} days",
    }


def chain_in_segments(found):
    """What is said about the chain in segments, and about small partitions."""
    seconds, small = found["seconds"], found["small"]
    two = seconds["two workers"]
    return {
        "chain_rows": f"{found['rows']:,}",
        "chain_shards": found["shards"],
        "chain_cpu": found["cpu"],
        "chain_table": "\n".join(f"| {name} | {value:.2f} |" for name, value in seconds.items()),
        "chain_ratio": f"{seconds['one worker, in turn'] / two:.2f}",
        "chain_workers": f"{seconds['one worker'] / two:.2f}",
        "chain_bound": f"{found['certificate']['bound']:.0e}",
        "chain_off": f"{found['off_one_machine']:.0e}",
        "small_persisted": f"{small['persisted']['epoch']:.1f}",
        "small_computed": f"{small['computed']['epoch']:.1f}",
        "small_persisted_whole": f"{small['persisted']['whole']:.1f}",
        "small_computed_whole": f"{small['computed']['whole']:.1f}",
    }


def picture(found, path):
    """Draw the distance from the least log loss, by syncs."""
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(6.4, 3.6), layout="constrained")
    for averaged, style in ((True, "-"), (False, "--")):
        for shards, colour in ((8, "tab:blue"), (64, "tab:orange")):
            entries = [e for e in found["averaged"] if (e["shards"], e["average"]) == (shards, averaged)]
            above = [(e["log_loss"] / found["least"] - 1.0) * 100.0 for e in entries]
            label = f"{shards} shards, average={averaged}"
            axes.plot([e["syncs"] for e in entries], above, style, marker="o", color=colour, label=label)
    for name, style in (("one_machine", "-"), ("one_machine_last_weights", "--")):
        axes.axhline((found[name] / found["least"] - 1.0) * 100.0, color="black", linestyle=style, linewidth=0.8)
    axes.set(xscale="log", yscale="log", xlabel="syncs an epoch", ylabel="log loss above the least, %")
    axes.set_xticks([1, 4, 16], ["1", "4", "16"])
    axes.minorticks_off()
    axes.set_title("20,000,000 × 16, one epoch; black: one machine, averaged and not", fontsize=9)
    axes.legend(fontsize=7)
    plt.rcParams["svg.hashsalt"] = "cluster"
    figure.savefig(path, metadata={"Date": None})


def page(results):
    """The page for these results."""
    losses, speed, spark = results["losses"], results["throughput"], results["spark"]
    seconds, two = speed["seconds"]["1"], speed["two_processes"]
    values = (
        far(results)
        | chain_in_segments(results["chain"])
        | {
            "losses": loss_table(losses),
            "sorted": sorted_table(results["sorted"]),
            "sorted_rows": f"{results['sorted']['rows']:,}",
            "chain_ns": f"{losses['chain_ns_a_row']:.1f}",
            "alone_ns": f"{losses['one_machine_ns_a_row']:.1f}",
            "equal": "bit for bit equal" if losses["chain_is_bit_for_bit"] else "NOT EQUAL",
            "one": f"{speed['rows'] / seconds['1'] / 1e6:.0f}",
            "two": f"{speed['rows'] / seconds['2'] / 1e6:.0f}",
            "speedup": f"{seconds['1'] / seconds['2']:.2f}",
            "best": f"{speed['least_seconds']['1']['1'] / speed['least_seconds']['1']['2']:.2f}",
            "bound": f"{two['speedup']:.2f}",
            "load": f"{speed['load_average']:.1f}",
            "empty_task": f"{speed['empty_round_seconds']['2'] / 8 * 1e3:.1f}",
            "partial_fit": time_table(results["partial_fit"]),
            "partial_fit_rows": f"{results['partial_fit']['rows']:,}",
            "spark": time_table(spark),
            "files_ratio": f"{seconds_of(spark, 'Spark ML, files') / seconds_of(spark, 'tinynet_fast, files'):.1f}",
            "cached_ratio": f"{seconds_of(spark, 'Spark ML, cached') / seconds_of(spark, 'tinynet_fast, cached'):.1f}",
            "spark_rows": f"{spark['rows']:,}",
            "arrow": f"{spark['receive_ns_a_row']:,.0f}",
            "empty_job": f"{spark['empty_job_seconds']:.2f}",
            "spark_link": f"{results['partitions']['chain_seconds']:.2f}",
            "spark_task": f"{results['partitions']['average_seconds'] * 1e3:.0f}",
            "spark_empty": f"{results['partitions']['empty_seconds'] * 1e3:.0f}",
            "cpu": results["machine"].get("cpu", "an unknown CPU"),
            "cores": f"{CORES:,}",
            "per_core": SHARDS_A_CORE,
            "syncs": SYNCS,
            "price": CORE_HOUR,
        }
    )
    template = (ROOT / "bench" / "cluster_page.md").read_text(encoding="utf-8")
    for name, value in values.items():
        template = template.replace("{" + name + "}", str(value))
    return template


def newest():
    """The content of the newest results file."""
    return json.loads(sorted((ROOT / "bench" / "results").glob("cluster-*.json"))[-1].read_text(encoding="utf-8"))


def main():
    results = newest()
    picture(results["losses"], ROOT / "docs" / "cluster.svg")
    (ROOT / "docs" / "cluster.md").write_text(page(results), encoding="utf-8")


if __name__ == "__main__":
    main()
