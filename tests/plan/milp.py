#!/usr/bin/env python3
"""Plans against a mixed-integer program solved by glpsol (GLPK), on stacks too large to try out.

    milp.py PLIMSOLL COUNT [SEED [COMPONENTS [CANDIDATES [POOLS [SECONDS]]]]]

The program is written from the documents' words: one binary per component, candidate and tier; a
variable per warm group and pool for its largest member; binaries for shared instances. Load orders
are added as they are needed: a choice without an order (found by trying every subset) is forbidden
and the program solved again. Terms of the objective are solved one after another. Infeasible stacks:
the conflict must be infeasible, and feasible without any one of its members.
"""
import json, os, random, subprocess, sys, tempfile, time
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import brute

UNIT = 1 << 20
SUBSETS_OF = 14  # engines, up to which every subset is tried for a load order


def make(rng, n_comp, n_cand, n_pool):
    names = ["ram"] + [f"gpu{i}" for i in range(n_pool - 1)]
    parents = {}
    if n_pool > 2 and rng.random() < 0.5:
        for p in names[1:-1]:
            if rng.random() < 0.7:
                parents[p] = names[-1]
    tight = rng.choice([0.25, 0.4, 0.6])
    total = n_comp * 900
    machine = []
    for p in names:
        cap = int(total * tight * rng.uniform(0.7, 1.3))
        machine.append({"pool": p, "kind": "host" if p == "ram" else "dedicated",
                        "capacity": cap * UNIT, "available": int(cap * rng.uniform(0.8, 1)) * UNIT,
                        "parent": parents.get(p)})
    lines = {p: {"ceiling": int(total * tight * rng.uniform(0.6, 1.1)) * UNIT,
                 "reserve": rng.choice([0, 0, 100]) * UNIT}
             for p in names if rng.random() < 0.5}
    comps, shared = {}, {}
    required = rng.choice([0.1, 0.1, 0.5])
    for c in range(n_comp):
        tier = rng.choice([["hot"], ["hot"], ["hot", "warm"], ["warm"], ["warm", "hot"]])
        comp = {"priority": rng.choice([1, 2, 3, 100]), "required": rng.random() < required,
                "weight": rng.choice([1, 2, 5]), "tier": tier,
                "group": rng.choice(["a", "b"])}
        cands = []
        for k in range(rng.randint(max(1, n_cand // 2), n_cand)):
            size = rng.randint(20, 1500)
            cand = {"name": f"c{c}k{k}", "quality": max(1, size // 20 + rng.randint(-20, 20)),
                    "footprint": {}}
            for p in rng.sample(names, rng.randint(1, min(2, len(names)))):
                steady = max(1, int(size * rng.uniform(0.3, 1)))
                row = {"steady": steady * UNIT}
                if rng.random() < 0.5:
                    row["peak"] = int(steady * rng.uniform(1, 1.3)) * UNIT
                if rng.random() < 0.4:
                    row["load_peak"] = int(steady * rng.uniform(1, 1.8)) * UNIT
                cand["footprint"][p] = row
            if rng.random() < 0.06:
                inst = rng.choice(["x", "y"])
                cand["instance"] = inst
                comp["group"] = "a"
                cand["footprint"] = shared.setdefault(inst, cand["footprint"])
            cands.append(cand)
        comp["candidates"] = cands
        comps[f"n{c}"] = comp
    stack = {"plimsoll": 1, "pools": lines, "components": comps,
             "objective": rng.choice(["balanced", "balanced", "capability", "reliability"])}
    # members of one instance are kept in one group, so that its group is never in question
    for comp in comps.values():
        if any("instance" in k for k in comp["candidates"]):
            comp["group"] = "a"
    return stack, {"schema": "plimsoll.assess/1", "pools": machine}


class Program:
    """The stack as a linear program text, with the terms won so far as constraints."""

    def __init__(self, rules, seconds):
        self.r, self.seconds, self.end = rules, seconds, float("inf")
        self.x = {}
        for c, options in enumerate(rules.options):
            for k, o in enumerate(options):
                if o is not None:
                    self.x[c, k] = f"x{c}_{k}"
        self.won, self.forbidden = [], []

    def base(self, ratio):
        r, rows, binaries = self.r, [], list(self.x.values())
        loads = {p: [] for p in r.pools}
        for c, name in enumerate(r.names):
            mine = [self.x[c, k] for k, o in enumerate(r.options[c]) if o is not None]
            if mine:
                rows.append(" + ".join(mine) + (" = 1" if name in r.required else " <= 1"))
            elif name in r.required:
                return None
        groups, instances = set(), {}
        for (c, k), v in self.x.items():
            o = r.options[c][k]
            if o[2] == "cloud":
                continue
            group = r.stack["components"][r.names[c]].get("group", "warm")
            inst = o[4].get("instance")
            if inst is not None:
                i = instances.setdefault(inst, {"charge": o[3], "group": group, "hot": [], "warm": []})
                i["hot" if o[2] == "hot" else "warm"].append(v)
                continue
            for p in r.pools:
                peak, load = o[3]["peak"][p] // UNIT, o[3]["load"][p] // UNIT
                if o[2] == "hot" and peak:
                    loads[p].append(f"{peak} {v}")
                if o[2] == "warm" and max(peak, load):
                    groups.add(group)
                    rows.append(f"g_{group}_{p} - {max(peak, load)} {v} >= 0")
        for inst, i in instances.items():
            hot, warm = f"h_{inst}", f"w_{inst}"
            binaries += [hot, warm]
            rows += [f"{hot} - {v} >= 0" for v in i["hot"]]
            rows += [f"{warm} + {hot} - {v} >= 0" for v in i["warm"]]
            rows.append(" + ".join(i["hot"] + i["warm"]) + f" - {hot} - {warm} >= 0")
            if i["hot"]:
                rows.append(" + ".join(i["hot"]) + f" - {hot} >= 0")
            else:
                rows.append(f"{hot} = 0")
            for p in r.pools:
                peak, load = i["charge"]["peak"][p] // UNIT, i["charge"]["load"][p] // UNIT
                if peak:
                    loads[p].append(f"{peak} {hot}")
                if max(peak, load):
                    groups.add(i["group"])
                    rows.append(f"g_{i['group']}_{p} - {max(peak, load)} {warm} >= 0")
        for p in r.pools:
            terms = loads[p] + [f"g_{g}_{p}" for g in sorted(groups)]
            if not terms:
                terms = ["0 dummy"]
            if r.limit[p] is not None:
                rows.append(" + ".join(terms) + f" <= {(r.limit[p] - r.reserve[p]) // UNIT}")
            if ratio and r.ceiling[p] > 0:
                rows.append(" + ".join(terms) + f" + {r.ceiling[p] // UNIT} t <= "
                            f"{(r.ceiling[p] - r.reserve[p]) // UNIT}")
        return rows, binaries, groups

    def solve(self, objective, ratio=False, maximise=True):
        """Value and chosen options, or None when infeasible; load orders made sure of."""
        while True:
            made = self.base(ratio or any(t for _, t in self.won))
            if made is None:
                return None
            rows, binaries, groups = made
            rows = rows + [w for w, _ in self.won] + self.forbidden
            got = self.run(rows, binaries, objective, maximise)
            if got is None:
                return None
            value, on = got
            choice = [next((o for k, o in enumerate(options) if o is not None and self.x[c, k] in on), None)
                      for c, options in enumerate(self.r.options)]
            hot, warm = self.r.engines(choice)
            if (self.r.orders(hot) if len(hot) <= SUBSETS_OF else self.last_first(hot)):
                return value, choice
            names = {m for e in hot for m in e["members"]}
            picked = [self.x[c, k] for (c, k) in self.x if self.x[c, k] in on and self.r.names[c] in names]
            self.forbidden.append(" + ".join(picked) + f" <= {len(picked) - 1}")

    def last_first(self, hot):
        """An order, found from its end: who can be loaded beside all others may come last."""
        r, left = self.r, list(hot)
        while left:
            for e in left:
                if all(r.limit[p] is None or sum(h["charge"]["steady"][p] for h in left if h is not e)
                       + e["charge"]["load"][p] + r.reserve[p] <= r.limit[p] for p in r.pools):
                    left.remove(e)
                    break
            else:
                return False
        return True

    def run(self, rows, binaries, objective, maximise):
        with tempfile.TemporaryDirectory() as t:
            lp, out = os.path.join(t, "a.lp"), os.path.join(t, "a.txt")
            with open(lp, "w") as f:
                f.write(("Maximize" if maximise else "Minimize") + f"\n obj: {objective}\nSubject To\n")
                for i, row in enumerate(rows):
                    f.write(f" r{i}: {row}\n")
                f.write("Bounds\n t free\n" + "Binary\n " + "\n ".join(binaries) + "\nEnd\n"
                        if any(" t " in row for row in rows)
                        else "Binary\n " + "\n ".join(binaries) + "\nEnd\n")
            left = min(self.seconds, self.end - time.monotonic())
            if left < 1:
                raise TimeoutError
            run = subprocess.run(["glpsol", "--lp", lp, "-w", out, "--tmlim", str(int(left)),
                                  "--gomory", "--cover", "--mipgap", "0"], capture_output=True, text=True)
            if "TIME LIMIT" in run.stdout:
                raise TimeoutError
            return self.read(lp, out, run.stdout)

    @staticmethod
    def read(lp, out, said):
        lines = open(out).read().splitlines()
        cols = subprocess.run(["glpsol", "--lp", lp, "--check", "--wglp", out + ".glp"],
                              capture_output=True, text=True)
        names = {}
        for line in open(out + ".glp"):
            w = line.split()
            if len(w) == 4 and w[0] == "n" and w[1] == "j":
                names[int(w[2])] = w[3]
        value, on, status = None, set(), None
        for line in lines:
            w = line.split()
            if w and w[0] == "s":
                status, value = w[4], float(w[5])
            if w and w[0] == "j" and float(w[2]) > 0.5:
                on.add(names[int(w[1])])
        return None if status != "o" else (value, on)


def terms_of(p, rules):
    """(name, linear text, maximise) of each sum in the objective, in its order."""
    comps = rules.stack["components"]
    prios = sorted({comps[n]["priority"] for n in rules.names})
    def text(weight):
        parts = [f"{weight(c, o)} {p.x[c, k]}" for c, options in enumerate(rules.options)
                 for k, o in enumerate(options) if o is not None and weight(c, o)]
        return " + ".join(parts) or "0 dummy"
    served = [("served", text(lambda c, o, q=q: int(comps[rules.names[c]]["priority"] == q))) for q in prios]
    tiers = [("tiers", text(lambda c, o, t=t: int(o[1] == t))) for t in range(3)]
    quality = [("quality", text(lambda c, o: comps[rules.names[c]]["weight"] * o[4]["quality"]))]
    head = [("headroom", "t")]
    kind = rules.stack["objective"]
    if kind == "capability":
        return served + quality + tiers + head
    if kind == "reliability":
        return served + tiers + head + quality
    return served + tiers + quality + head


def optimum(stack, machine, seconds, all_seconds=None):
    """The objective's values by name, or None."""
    rules = brute.Rules(stack, machine)
    p = Program(rules, seconds)
    if all_seconds:
        p.end = time.monotonic() + all_seconds
    found = {}
    for name, text in terms_of(p, rules):
        got = p.solve(text, name == "headroom")
        if got is None:
            return None
        if name == "headroom":
            hot, warm = rules.engines(got[1])
            load = rules.load(hot, warm)
            head = rules.terms(got[1], load)[3]
            found[name] = head
            p.won.append((f"t >= {float(head) - 1e-8:.10f}", True))
        else:
            value = round(got[0])
            found.setdefault(name, []).append(value)
            p.won.append((f"{text} >= {value}", False))
    return found


def holds(stack, machine, keep, seconds):
    drop = [m for m in brute.all_members(stack, machine) if m not in keep]
    required = {m.split(":", 1)[1] for m in keep if m.startswith("component:")}
    rules = brute.Rules(stack, machine, drop, required)
    p = Program(rules, seconds)
    return p.solve("0 dummy") is not None


def compare(stack, machine, out, seconds):
    want = optimum(stack, machine, seconds)
    if out["feasible"] != (want is not None):
        return f"feasible {out['feasible']}, the program says {want is not None}"
    if want is None:
        if holds(stack, machine, set(out["conflict"]), seconds):
            return f"the conflict {out['conflict']} can be met"
        for m in out["conflict"]:
            if not holds(stack, machine, set(out["conflict"]) - {m}, seconds):
                return f"without {m} it is still a conflict"
        return None
    return differs(want, out) or (None if out["optimal"] else "not proved: " + out["gap"])


def differs(want, out):
    """Where the plan's objective is another than the program's; None: nowhere."""
    if want is None or not out["feasible"]:
        return None if want is None and not out["feasible"] else "only one of them has a plan"
    got = {t["name"]: t["value"] for t in out["objective"]}
    served = got["components_served"] if isinstance(got["components_served"], list) else [got["components_served"]]
    pairs = [("served", served, want["served"]), ("tiers", got["tier_preference"], want["tiers"]),
             ("quality", [got["quality"]], want["quality"]),
             ("headroom", brute.Fraction(*got["headroom"]), want["headroom"])]
    for name, a, b in pairs:
        if a != b:
            return f"{name}: {a}, the program says {b}"
    return None


def main():
    plimsoll, count = sys.argv[1], int(sys.argv[2])
    seed, n_comp, n_cand, n_pool, seconds = [int(a) for a in (sys.argv[3:] + ["1", "12", "10", "4", "60"][len(sys.argv) - 3:])]
    bad = late = infeasible = 0
    with tempfile.TemporaryDirectory() as t:
        s, m = os.path.join(t, "s.yaml"), os.path.join(t, "m.json")
        for i in range(seed, seed + count):
            stack, machine = make(random.Random(i), n_comp, n_cand, n_pool)
            json.dump(stack, open(s, "w"))
            json.dump(machine, open(m, "w"))
            run = subprocess.run([plimsoll, "plan", s, "--machine", m, "--json", "--time-limit", str(seconds)],
                                 capture_output=True, text=True)
            try:
                if run.returncode not in (0, 1):
                    why = f"exit {run.returncode}: {run.stderr.strip()}"
                else:
                    out = json.loads(run.stdout)
                    why = compare(stack, machine, out, seconds)
                    infeasible += not out["feasible"]
            except TimeoutError:
                late, why = late + 1, None
            if why:
                bad += 1
                print(f"seed {i}: {why}", flush=True)
    print(f"{count} stacks, {infeasible} infeasible, {late} not decided by glpsol in time, {bad} differences")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
