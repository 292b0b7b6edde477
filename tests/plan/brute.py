#!/usr/bin/env python3
"""An independent reading of what a plan means, by trying every choice.

    brute.py PLIMSOLL COUNT [SEED [SIZE]]

Writes random stack and machine files, solves each by brute force with the rules as the documents
state them (nothing here comes from the program), runs `PLIMSOLL plan --json`, and compares: is there
a plan, the objective, the components, the load order, the pools, the verdict; of an infeasible one
whether the conflict is irreducible. Prints one line per difference and ends with status 1 then.
"""
import itertools, json, os, random, subprocess, sys, tempfile
from fractions import Fraction

UNIT = 1 << 20


def make(rng, size):
    """A stack and a machine as plain data."""
    pools = ["ram", "gpu0", "gpu1", "unified"][: rng.randint(1, 3)]
    parents = {}
    if rng.random() < 0.35 and len(pools) > 1:
        pools.append("all")
        for p in pools[:-1]:
            if rng.random() < 0.8:
                parents[p] = "all"
    machine = []
    for p in pools:
        cap = rng.randint(20, 60) * (2 if p == "all" else 1)
        row = {"pool": p, "kind": "host" if p == "ram" else "unified" if p == "all" else "dedicated",
               "capacity": cap * UNIT, "available": rng.randint(cap // 2, cap) * UNIT,
               "parent": parents.get(p)}
        if rng.random() < 0.3:
            row["reserved"] = rng.randint(0, 5) * UNIT
        if rng.random() < 0.2:
            row["largest_allocation"] = rng.randint(10, 30) * UNIT
        machine.append(row)
    rng.shuffle(machine)
    lines = {}
    for p in pools:
        if rng.random() < 0.6:
            row = {}
            if rng.random() < 0.7:
                row["ceiling"] = rng.randint(15, 60) * UNIT
            if rng.random() < 0.3:
                row["reserve"] = rng.randint(1, 6) * UNIT
            if rng.random() < 0.2:
                row["largest"] = rng.randint(8, 25) * UNIT
            lines[p] = row
    shared = {}
    comps = {}
    n = rng.randint(1, size)
    for c in range(n):
        comp = {"priority": rng.choice([1, 1, 2, 3, 100]), "required": rng.random() < 0.35,
                "weight": rng.choice([1, 1, 2, 5])}
        comp["tier"] = rng.choice([["hot"], ["hot"], ["hot", "warm"], ["warm"], ["warm", "hot"],
                                   ["hot", "cloud"], ["hot", "warm", "off"]])
        if rng.random() < 0.4:
            comp["group"] = rng.choice(["a", "b"])
        cands = []
        for k in range(rng.randint(1, 3)):
            cand = {"name": f"c{c}k{k}", "quality": rng.randint(0, 9)}
            if rng.random() < 0.2:
                cand["instance"] = rng.choice(["x", "y"])
            inst = cand.get("instance")
            if inst in shared:
                cand["footprint"] = shared[inst]
            else:
                cand["footprint"] = footprint(rng, pools)
                if inst:
                    shared[inst] = cand["footprint"]
            cands.append(cand)
        comp["candidates"] = cands
        comps[f"n{c}"] = comp
    stack = {"plimsoll": 1, "pools": lines, "components": comps,
             "objective": rng.choice(["balanced", "balanced", "capability", "reliability"])}
    if rng.random() < 0.3:
        stack["policies"] = {"one": {"max_together": {rng.choice(pools): rng.randint(1, 2)}}}
    return stack, {"schema": "plimsoll.assess/1", "pools": machine}


def footprint(rng, pools):
    f = {}
    for p in rng.sample(pools, rng.randint(1, len(pools))):
        row = {"steady": rng.randint(1, 16) * UNIT}
        if rng.random() < 0.5:
            row["peak"] = row["steady"] + rng.randint(0, 6) * UNIT
        if rng.random() < 0.5:
            row["load_peak"] = row.get("peak", row["steady"]) + rng.randint(-3, 10) * UNIT
            row["load_peak"] = max(row["load_peak"], UNIT)
        if rng.random() < 0.3:
            row["largest"] = rng.randint(1, row["steady"] // UNIT) * UNIT
        f[p] = row
    return f


class Rules:
    """The constraints of the documents over one choice."""

    def __init__(self, stack, machine, drop=(), required=None):
        self.stack, self.drop = stack, drop
        self.pools = [r["pool"] for r in machine["pools"]]
        self.up = {}
        parent = {r["pool"]: r.get("parent") for r in machine["pools"]}
        for p in self.pools:
            chain, q = [], p
            while q:
                chain.append(q)
                q = parent[q]
            self.up[p] = chain
        self.limit, self.ceiling, self.reserve, self.largest = {}, {}, {}, {}
        for r in machine["pools"]:
            p = r["pool"]
            own = stack["pools"].get(p, {})
            self.ceiling[p] = own.get("ceiling", max(0, r["capacity"] - r.get("reserved", 0)))
            self.reserve[p] = own.get("reserve", 0)
            self.largest[p] = own.get("largest", r.get("largest_allocation"))
            limits = []
            if "ceiling:" + p not in drop:
                limits.append(self.ceiling[p])
            if "available:" + p not in drop:
                limits.append(r["available"])
            self.limit[p] = min(limits) if limits else None
            if "largest:" + p in drop:
                self.largest[p] = None
        self.names = list(stack["components"])
        self.required = {n for n in self.names if stack["components"][n]["required"]}
        if required is not None:
            self.required = required
        self.counts = {}
        for name, pol in stack.get("policies", {}).items():
            if "policy:" + name not in drop:
                self.counts.update(pol["max_together"])
        self.options = [self.options_of(n) for n in self.names]

    def options_of(self, name):
        comp = self.stack["components"][name]
        out = []
        for k, cand in enumerate(comp["candidates"]):
            charge = {}
            for what in ("steady", "peak", "load", "largest", "one"):
                charge[what] = dict.fromkeys(self.pools, 0)
            for p, row in cand["footprint"].items():
                steady = row["steady"]
                peak = row.get("peak", steady)
                load = row.get("load_peak", peak)
                for q in self.up[p]:
                    charge["steady"][q] += steady
                    charge["peak"][q] += peak
                    charge["load"][q] += load
                    charge["largest"][q] = max(charge["largest"][q], row.get("largest", 0))
                charge["one"][p] = 1
            for rank, tier in enumerate(comp["tier"]):
                if tier == "off":
                    continue
                if tier != "cloud" and any(
                        self.largest[p] is not None and charge["largest"][p] > self.largest[p]
                        for p in self.pools):
                    continue
                out.append((k, rank, tier, charge, cand))
        return out + [None]

    def engines(self, choice):
        hot, warm, seen = [], [], {}
        for name, o in zip(self.names, choice):
            if o is None or o[2] == "cloud":
                continue
            inst = o[4].get("instance")
            group = self.stack["components"][name].get("group", "warm")
            if inst is not None and inst in seen:
                e = seen[inst]
                e["hot"] = e["hot"] or o[2] == "hot"
                if e["group"] is None and o[2] == "warm":
                    e["group"] = group
                e["members"].append(name)
                continue
            e = {"hot": o[2] == "hot", "group": group if o[2] == "warm" else None, "charge": o[3],
                 "members": [name]}
            if inst is not None:
                seen[inst] = e
            hot.append(e)
        warm = [e for e in hot if not e["hot"]]
        hot = [e for e in hot if e["hot"]]
        return hot, warm

    def load(self, hot, warm):
        out = {}
        for p in self.pools:
            groups = {}
            for e in warm:
                v = max(e["charge"]["peak"][p], e["charge"]["load"][p])
                groups[e["group"]] = max(groups.get(e["group"], 0), v)
            out[p] = sum(e["charge"]["peak"][p] for e in hot) + sum(groups.values()) + self.reserve[p]
        return out

    def within(self, load):
        return all(self.limit[p] is None or load[p] <= self.limit[p] for p in self.pools)

    def counted(self, hot, warm):
        for p, most in self.counts.items():
            groups = {e["group"] for e in warm if e["charge"]["one"].get(p)}
            if sum(e["charge"]["one"][p] for e in hot) + len(groups) > most:
                return False
        return True

    def orders(self, hot):
        """Some order of loading, over all subsets."""
        reach = {0}
        for size in range(len(hot)):
            nxt = set()
            for mask in reach:
                if bin(mask).count("1") != size:
                    continue
                for i, e in enumerate(hot):
                    if mask >> i & 1:
                        continue
                    fits = all(self.limit[p] is None or
                               sum(h["charge"]["steady"][p] for j, h in enumerate(hot) if mask >> j & 1)
                               + e["charge"]["load"][p] + self.reserve[p] <= self.limit[p]
                               for p in self.pools)
                    if fits:
                        nxt.add(mask | 1 << i)
            reach |= nxt
        return (1 << len(hot)) - 1 in reach

    def feasible(self, choice):
        for name, o in zip(self.names, choice):
            if o is None and name in self.required:
                return None
        hot, warm = self.engines(choice)
        load = self.load(hot, warm)
        if not self.within(load) or not self.counted(hot, warm) or not self.orders(hot):
            return None
        return hot, warm, load

    def terms(self, choice, load):
        comps = self.stack["components"]
        prios = sorted({comps[n]["priority"] for n in self.names})
        served = [sum(1 for n, o in zip(self.names, choice) if o and comps[n]["priority"] == p)
                  for p in prios]
        tiers = [sum(1 for o in choice if o and o[1] == r) for r in range(3)]
        quality = sum(comps[n]["weight"] * o[4]["quality"] for n, o in zip(self.names, choice) if o)
        heads = [Fraction(self.ceiling[p] - load[p], self.ceiling[p]) for p in self.pools
                 if self.ceiling[p] > 0]
        head = min(heads) if heads else Fraction(0)
        return served, tiers, quality, head

    def key(self, choice, load):
        served, tiers, quality, head = self.terms(choice, load)
        order = tuple(-(o[0] * 10 + o[1]) if o else -10 ** 6 for o in choice)
        o = self.stack["objective"]
        if o == "capability":
            return served, quality, tiers, head, order
        if o == "reliability":
            return served, tiers, head, quality, order
        return served, tiers, quality, head, order

    def best(self):
        found = None
        for choice in itertools.product(*self.options):
            got = self.feasible(choice)
            if got is None:
                continue
            k = self.key(choice, got[2])
            if found is None or k > found[0]:
                found = (k, choice, got)
        return found

    def any(self):
        return any(self.feasible(c) is not None for c in itertools.product(*self.options))


def verdict(rules, hot, load):
    for e in hot:
        for p in rules.pools:
            after = load[p] - e["charge"]["peak"][p] + e["charge"]["load"][p]
            if rules.limit[p] is not None and after > rules.limit[p]:
                return "constrained"
    return "safe"


def all_members(stack, machine):
    out = []
    for r in machine["pools"]:
        out += [w + ":" + r["pool"] for w in ("ceiling", "available", "largest")]
    return out + ["policy:" + n for n in stack.get("policies", {})]


def conflict_faults(stack, machine, members):
    """Infeasible together, feasible without any one."""
    def holds(keep):
        drop = [m for m in all_members(stack, machine) if m not in keep]
        required = {m.split(":", 1)[1] for m in keep if m.startswith("component:")}
        return Rules(stack, machine, drop, required).any()
    if holds(set(members)):
        return "the conflict's members can be met together"
    for m in members:
        if not holds(set(members) - {m}):
            return f"without {m} it is still a conflict"
    return None


def compare(stack, machine, out):
    rules = Rules(stack, machine)
    best = rules.best()
    if out["feasible"] != (best is not None):
        return f"feasible {out['feasible']}, by trying all {best is not None}"
    if best is None:
        if out["verdict"] != "does_not_fit":
            return "verdict " + out["verdict"]
        return conflict_faults(stack, machine, out["conflict"])
    _, choice, (hot, warm, load) = best
    served, tiers, quality, head = rules.terms(choice, load)
    got = {t["name"]: t["value"] for t in out["objective"]}
    want = {"components_served": served if len(served) > 1 else served[0], "tier_preference": tiers,
            "quality": quality}
    for name, v in want.items():
        if got[name] != v:
            return f"{name}: {got[name]}, by trying all {v}"
    if got["headroom"][1] and Fraction(*got["headroom"]) != head:
        return f"headroom {Fraction(*got['headroom'])}, by trying all {head}"
    if not out["optimal"]:
        return "not optimal"
    for name, o in zip(rules.names, choice):
        c = out["components"][name]
        if c["served"] != (o is not None) or (o and (c["candidate"] != o[4]["name"] or c["tier"] != o[2])):
            return f"{name}: {c['candidate']} {c['tier']}, by trying all {o and (o[4]['name'], o[2])}"
    if verdict(rules, hot, load) != out["verdict"]:
        return f"verdict {out['verdict']}, by the rules {verdict(rules, hot, load)}"
    for row in out["pools"]:
        p = row["pool"]
        if row["planned"] != load[p] - rules.reserve[p] or row["ceiling"] != rules.ceiling[p] or \
                row["headroom"] != rules.ceiling[p] - load[p] or row["reserve"] != rules.reserve[p]:
            return f"pool {p}: {row}, load {load[p]}"
    return order_fault(rules, hot, choice, out["load_order"])


def order_fault(rules, hot, choice, order):
    if sorted(order) != sorted(n for n, o in zip(rules.names, choice) if o and o[2] == "hot"):
        return f"load order names {order}"
    done = []
    for name in order:
        e = next(e for e in hot if name in e["members"])
        if e in done:
            continue
        for p in rules.pools:
            now = sum(d["charge"]["steady"][p] for d in done) + e["charge"]["load"][p] + rules.reserve[p]
            if rules.limit[p] is not None and now > rules.limit[p]:
                return f"load order: {name} does not fit in {p}"
        done.append(e)
    return None


def main():
    plimsoll, count = sys.argv[1], int(sys.argv[2])
    seed = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    size = int(sys.argv[4]) if len(sys.argv) > 4 else 4
    bad = infeasible = 0
    with tempfile.TemporaryDirectory() as t:
        s, m = os.path.join(t, "s.yaml"), os.path.join(t, "m.json")
        for i in range(seed, seed + count):
            stack, machine = make(random.Random(i), size)
            with open(s, "w") as f:
                json.dump(stack, f)  # JSON is YAML
            with open(m, "w") as f:
                json.dump(machine, f)
            run = subprocess.run([plimsoll, "plan", s, "--machine", m, "--json"], capture_output=True,
                                 text=True)
            if run.returncode not in (0, 1):
                why = f"exit {run.returncode}: {run.stderr.strip()}"
            else:
                out = json.loads(run.stdout)
                infeasible += not out["feasible"]
                why = compare(stack, machine, out)
                if why is None and run.returncode != (0 if out["feasible"] else 1):
                    why = f"exit {run.returncode}"
            if why:
                bad += 1
                print(f"seed {i}: {why}")
    print(f"{count} stacks, {infeasible} infeasible, {bad} differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
