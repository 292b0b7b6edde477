#!/usr/bin/env python3
"""Stacks too large to be solved to the end: there is always a plan where one is easily found, it meets
every line by an independent reading, its terms are what it says, and what is not proved is said.

    large.py PLIMSOLL COUNT SEED COMPONENTS CANDIDATES POOLS [SECONDS]
"""
import json, os, random, subprocess, sys, tempfile
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import brute, milp


def wrong(stack, machine, out):
    rules = brute.Rules(stack, machine)
    choice = []
    for name, options in zip(rules.names, rules.options):
        c = out["components"][name]
        found = None
        if c["served"]:
            found = next((o for o in options if o and o[4]["name"] == c["candidate"] and o[2] == c["tier"]), None)
            if found is None:
                return f"{name}: {c['candidate']} as {c['tier']} is no option"
        elif name in rules.required:
            return f"{name} is required and not served"
        choice.append(found)
    hot, warm = rules.engines(choice)
    load = rules.load(hot, warm)
    if not rules.within(load):
        return "a line is exceeded"
    if not milp.Program(rules, 1).last_first(hot):
        return "no load order"
    served, tiers, quality, head = rules.terms(choice, load)
    got = {t["name"]: t["value"] for t in out["objective"]}
    said = (got["components_served"], got["tier_preference"], got["quality"], brute.Fraction(*got["headroom"]))
    if said != (served if isinstance(got["components_served"], list) else served[0], tiers, quality, head):
        return f"says {said}, it is {(served, tiers, quality, head)}"
    return None if out["optimal"] or out["gap"] else "neither proved nor a gap"


def main():
    plimsoll, count, seed, n_comp, n_cand, n_pool = sys.argv[1], *[int(a) for a in sys.argv[2:7]]
    seconds = sys.argv[7] if len(sys.argv) > 7 else "1"
    bad = proved = 0
    with tempfile.TemporaryDirectory() as t:
        s, m = os.path.join(t, "s.yaml"), os.path.join(t, "m.json")
        for i in range(seed, seed + count):
            stack, machine = milp.make(random.Random(i), n_comp, n_cand, n_pool)
            json.dump(stack, open(s, "w"))
            json.dump(machine, open(m, "w"))
            run = subprocess.run([plimsoll, "plan", s, "--machine", m, "--json", "--time-limit", seconds],
                                 capture_output=True, text=True)
            out = json.loads(run.stdout) if run.returncode == 0 else None
            why = wrong(stack, machine, out) if out else f"exit {run.returncode}: {run.stderr.strip()}"
            proved += out is not None and out["optimal"]
            if why:
                bad += 1
                print(f"seed {i}: {why}", flush=True)
    print(f"{count} stacks, {proved} proved, {bad} wrong")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
