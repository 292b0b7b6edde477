#!/usr/bin/env python3
"""Turns what nvidia-smi printed (-q, or -q -x) into NVML's answers in the format of
src/machine/nvml.h, so that captured machines can be replayed.

    answers.py FILE.xml                  nvidia-smi -q -x
    answers.py FILE.txt idle|load        that "query (-q)" section of a capture of nvidia_gpu_exporter

nvidia-smi is NVML's own front end: what it prints, NVML said; only sizes are rounded to MiB.
"""
import re
import sys
import xml.etree.ElementTree as ET

MIB = 1 << 20
CODES = [  # what nvidia-smi prints where NVML gave no value
    ("requested functionality has been deprecated", 26),
    ("insufficient permissions", 4),
    ("function not found", 13),
    ("gpu is lost", 15),
    ("unknown error", 999),
    ("n/a", 3),
    ("not supported", 3),
    ("none", 3),
]


class Node:
    """A tree of named texts; names are compared by their letters and digits alone."""

    def __init__(self, name, text=""):
        self.name, self.text, self.children = name, text.strip(), []

    @staticmethod
    def key(name):
        return re.sub(r"[^a-z0-9]", "", name.lower())

    def all(self, name):
        return [c for c in self.children if self.key(c.name) == self.key(name)]

    def get(self, *path):
        node = self
        for name in path:
            found = node.all(name) if node is not None else []
            node = found[0] if found else None
        return node


def from_xml(element):
    node = Node(element.tag, element.text or "")
    node.children = [from_xml(child) for child in element]
    if element.tag == "gpu":
        node.text = element.get("id")
    return node


def from_text(lines):
    """nvidia-smi -q: indentation makes the tree; a process's members follow its first line."""
    root = Node("root")
    stack = [(-1, root)]
    for line in lines:
        if not line.strip() or line.startswith("="):
            continue
        indent = len(line) - len(line.lstrip())
        name, colon, text = line.strip().partition(" : ")
        node = Node(name.strip(), text if colon else "")
        if indent == 0 and node.name.startswith("GPU ") and not colon:
            node = Node("gpu", node.name[4:])
        while stack[-1][0] >= indent:
            stack.pop()
        stack[-1][1].children.append(node)
        stack.append((indent, node))
    return root


def first(node, *paths):
    for path in paths:
        found = node.get(*path)
        if found is not None and found.text:
            return found.text
    return None


def code_of(text):
    if text is None:
        return 3
    low = text.lower().strip("[]")
    for words, code in CODES:
        if low == words:
            return code
    return 0


def say(unit, call, text, value):
    """value: the answer of a successful call, made from the text."""
    code = code_of(text)
    if text is None:
        return
    print(f"{unit} {call} 0 {value(text)}" if code == 0 else f"{unit} {call} {code}")


def number(text, scale=1):
    return round(float(re.match(r"-?[0-9.]+", text).group()) * scale)


def memory(unit, node):
    usage = node.get("fb_memory_usage") or node.get("Shared FB Memory Usage")
    total, used, free = (first(usage, [k]) if usage else None for k in ("total", "used", "free"))
    reserved = first(usage, ["reserved"]) if usage else None
    if code_of(total) != 0:
        print(f"{unit} nvmlDeviceGetMemoryInfo_v2 {code_of(total)}")
        print(f"{unit} nvmlDeviceGetMemoryInfo {code_of(total)}")
        return
    size = lambda text: number(text, MIB)
    if reserved is None:
        print(f"{unit} nvmlDeviceGetMemoryInfo_v2 13")
        print(f"{unit} nvmlDeviceGetMemoryInfo 0 {size(total)} {size(free)} {size(used)}")
    else:
        print(f"{unit} nvmlDeviceGetMemoryInfo_v2 0 {size(total)} {size(reserved)} {size(free)} {size(used)}")


REASONS = [
    (("gpu_idle", "Idle"), 1),
    (("applications_clocks_setting", "Applications Clocks Setting"), 2),
    (("sw_power_cap", "SW Power Cap"), 4),
    (("hw_slowdown", "HW Slowdown"), 8),
    (("sync_boost", "Sync Boost"), 16),
    (("sw_thermal_slowdown", "SW Thermal Slowdown"), 32),
    (("hw_thermal_slowdown", "HW Thermal Slowdown"), 64),
    (("hw_power_brake_slowdown", "HW Power Brake Slowdown"), 128),
    (("display_clocks_setting", "display_clock_setting", "Display Clock Setting"), 256),
]


def reasons(unit, gpu):
    for group, prefix in (
        ("clocks_event_reasons", "clocks_event_reason_"),
        ("clocks_throttle_reasons", "clocks_throttle_reason_"),
    ):
        node = gpu.get(group)
        if node is None:
            continue
        bits, seen = 0, False
        hidden = [c for n in node.children for c in n.children]  # -q nests two below HW Slowdown
        for names, bit in REASONS:
            for child in node.children + hidden:
                if Node.key(child.name) in [Node.key(p + n) for n in names for p in ("", prefix)]:
                    seen = seen or child.text in ("Active", "Not Active")
                    bits |= bit if child.text == "Active" else 0
        call = "Event" if "event" in group else "Throttle"
        print(f"{unit} nvmlDeviceGetCurrentClocks{call}Reasons {f'0 {bits}' if seen else 3}")


def process_rows(gpu):
    """[pid, type, memory, name, GPU instance] of every process."""
    node = gpu.get("processes")
    if node is None:
        return []
    rows, instance = [], None
    for child in node.children:
        if child.name == "process_info":
            rows.append([first(child, [k]) for k in
                         ("pid", "type", "used_memory", "process_name", "gpu_instance_id")])
        elif child.name == "GPU instance ID":  # -q: stands before the process
            instance = child.text
        elif child.name == "Process ID":
            rows.append([child.text] + [first(child, [k]) for k in ("Type", "Used GPU Memory", "Name")]
                        + [instance])
    return rows


def processes(unit, gpu, instance):
    """Those of a GPU instance, or of none."""
    if gpu.get("processes") is None:
        return
    lists = {"compute": [], "graphics": []}
    for pid, kind, used, name, where in process_rows(gpu):
        if (where if where and where.isdigit() else None) != instance:
            continue
        # Windows: "Not available in WDDM driver model", which NVML says with all bits set
        size = number(used, MIB) if used[0].isdigit() else (1 << 64) - 1
        for letter, which in (("C", "compute"), ("G", "graphics")):
            if letter in kind:
                lists[which].append(f"{pid} {size} {instance or 4294967295} 4294967295 {name}")
    for which, rows in lists.items():
        print(f"{unit} nvmlDeviceGet{which.capitalize()}RunningProcesses_v3 0 {len(rows)}")
        for row in rows:
            print(f"{unit} process {which} {row}")


def device(unit, gpu):
    on = lambda text: 1 if text in ("Enabled", "Yes") else 0
    say(unit, "nvmlDeviceGetName", first(gpu, ["product_name"]), str)
    say(unit, "nvmlDeviceGetUUID", first(gpu, ["uuid"], ["GPU UUID"]), str)
    domain, bus, slot = re.match(r"([0-9A-F]+):([0-9A-F]+):([0-9A-F]+)", gpu.text, re.I).groups()
    ident = (first(gpu, ["pci", "pci_device_id"], ["pci", "Device Id"]) or "0").removeprefix("0x")
    ident = int(ident, 16) if re.fullmatch(r"[0-9A-Fa-f]+", ident) else 0
    print(f"{unit} nvmlDeviceGetPciInfo_v3 0 {int(domain, 16)} {int(bus, 16)} {int(slot, 16)} {ident}")
    memory(unit, gpu)
    mode = [first(gpu, ["mig_mode", k], ["MIG Mode", n]) for k, n in
            (("current_mig", "Current"), ("pending_mig", "Pending"))]
    if code_of(mode[0]) == 0:
        print(f"{unit} nvmlDeviceGetMigMode 0 {on(mode[0])} {on(mode[1])}")
    else:
        print(f"{unit} nvmlDeviceGetMigMode 3")
    dm = first(gpu, ["driver_model", "current_dm"], ["Driver Model", "Current"])
    say(unit, "nvmlDeviceGetDriverModel_v2", dm, lambda t: {"WDDM": "0 0", "TCC": "1 1", "MCDM": "2 2"}[t])
    say(unit, "nvmlDeviceGetDisplayActive", first(gpu, ["display_active"]), on)
    say(unit, "nvmlDeviceGetDisplayMode", first(gpu, ["display_mode"]), on)
    say(unit, "nvmlDeviceGetPerformanceState", first(gpu, ["performance_state"]), lambda t: t[1:])
    for group, call in (("clocks", "ClockInfo"), ("max_clocks", "MaxClockInfo")):
        for which, names in ((0, ("graphics_clock", "Graphics")), (2, ("mem_clock", "Memory"))):
            text = first(gpu, *([group, n] for n in names))
            say(unit, f"nvmlDeviceGet{call}({which})", text, number)
    reasons(unit, gpu)
    power = gpu.get("gpu_power_readings") or gpu.get("power_readings")
    if power is not None:
        milli = lambda t: number(t, 1000)
        say(unit, "nvmlDeviceGetPowerUsage", first(power, ["power_draw"], ["average_power_draw"]), milli)
        say(unit, "nvmlDeviceGetEnforcedPowerLimit",
            first(power, ["enforced_power_limit"], ["current_power_limit"],
                  ["GPU Ceiling Power Limit", "Current Power Limit"]), milli)
        say(unit, "nvmlDeviceGetPowerManagementDefaultLimit",
            first(power, ["default_power_limit"], ["GPU Ceiling Power Limit", "Default Power Limit"]), milli)
        least = first(power, ["min_power_limit"])
        say(unit, "nvmlDeviceGetPowerManagementLimitConstraints", first(power, ["max_power_limit"]),
            lambda t: f"{number(least, 1000)} {number(t, 1000)}")
    heat = gpu.get("temperature")
    if heat is not None:
        say(unit, "nvmlDeviceGetTemperature(0)", first(heat, ["gpu_temp"], ["GPU Current Temp"]), number)
        for which, names in enumerate((
            ("gpu_temp_max_threshold", "GPU Shutdown Temp"),
            ("gpu_temp_slow_threshold", "GPU Slowdown Temp"),
            ("gpu_temp_max_mem_threshold", "Memory Max Operating Temp"),
            ("gpu_temp_max_gpu_threshold", "GPU Max Operating Temp"),
        )):
            say(unit, f"nvmlDeviceGetTemperatureThreshold({which})", first(heat, *([n] for n in names)), number)
        say(unit, "nvmlDeviceGetMarginTemperature",
            first(heat, ["gpu_temp_tlimit"], ["GPU T.Limit Temp"], ["GPU Current T.Limit Temp"]), number)
    use = [first(gpu, ["utilization", k], ["utilization", n]) for k, n in
           (("gpu_util", "GPU"), ("memory_util", "Memory"))]
    say(unit, "nvmlDeviceGetUtilizationRates", use[0], lambda t: f"{number(t)} {number(use[1])}")
    link = gpu.get("pci", "pci_gpu_link_info") or gpu.get("PCI", "GPU Link Info")
    if link is not None:
        say(unit, "nvmlDeviceGetCurrPcieLinkGeneration",
            first(link, ["pcie_gen", "current_link_gen"], ["PCIe Generation", "Current"]), number)
        say(unit, "nvmlDeviceGetCurrPcieLinkWidth",
            first(link, ["link_widths", "current_link_width"], ["Link Width", "Current"]), number)
    processes(unit, gpu, None)


def slices(unit, gpu, uuids):
    parts = gpu.get("mig_devices")
    parts = parts.all("mig_device") if parts is not None else gpu.all("MIG Device")
    if parts:
        print(f"{unit} nvmlDeviceGetMaxMigDeviceCount 0 7")
    for part in parts:
        index = first(part, ["index"])
        own = f"{unit}.{index}"
        print(f"{own} nvmlDeviceGetMigDeviceHandleByIndex 0")
        if index in uuids:
            print(f"{own} nvmlDeviceGetUUID 0 {uuids[index]}")
        say(own, "nvmlDeviceGetGpuInstanceId", first(part, ["gpu_instance_id"]), number)
        say(own, "nvmlDeviceGetComputeInstanceId", first(part, ["compute_instance_id"]), number)
        memory(own, part)
        processes(own, gpu, first(part, ["gpu_instance_id"]))


def main():
    uuids = {}
    if sys.argv[1].endswith(".xml"):
        root = from_xml(ET.parse(sys.argv[1]).getroot())
    else:
        text = open(sys.argv[1], encoding="utf-8").read()
        start = re.search(rf"^# {sys.argv[2]} :: query \(-q\)\n.*\n#+\n", text, re.M).end()
        stop = text.find("\n####", start)
        root = from_text(text[start:stop].split("\n"))
        uuids = dict(re.findall(r"^  MIG .* Device +(\d+): \(UUID: (MIG-[^)]*)\)", text, re.M))
    gpus = root.all("gpu")
    print("plimsoll-nvml 1")
    print("- nvmlInit_v2 0")
    say("-", "nvmlSystemGetDriverVersion", first(root, ["driver_version"]), str)
    say("-", "nvmlSystemGetCudaDriverVersion_v2", first(root, ["cuda_version"]),
        lambda t: number(t.split(".")[0], 1000) + number(t.split(".")[1], 10))
    print(f"- nvmlDeviceGetCount_v2 0 {len(gpus)}")
    for index, gpu in enumerate(gpus):
        print(f"{index} nvmlDeviceGetHandleByIndex_v2 0")
        device(str(index), gpu)
        slices(str(index), gpu, uuids)
    print("end")


main()
