# SPDX-License-Identifier: Apache-2.0
"""What a row of the benchmark found: goals, a table, a chart. All of it goes through JSON and back."""
import statistics


def median(values):
    return statistics.median(values)


def spread(values, form):
    """Median and range: "11.30 (11.12–11.90)"."""
    values = sorted(values)
    if values[0] == values[-1]:
        return form.format(values[0])
    return f"{form.format(median(values))} ({form.format(values[0])}–{form.format(values[-1])})"


def percentile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


class Result:
    def __init__(self, name, title):
        self.name, self.title = name, title
        self.columns, self.lines = [], []
        self.goals, self.notes, self.charts = [], [], []
        self.runs = []

    def table(self, *columns):
        self.columns = list(columns)

    def line(self, *cells):
        self.lines.append([str(cell) for cell in cells])

    def goal(self, what, limit, figure, form="{:.2f}", unit="", at_least=False,
             judged=True):
        """figure None: it could not be measured; not judged: the machine does not allow it. A note explains both."""
        sign = "≥" if at_least else "≤"
        met = None
        if figure is not None and judged:
            met = figure >= limit if at_least else figure <= limit
        self.goals.append({
            "what": what, "goal": f"{sign} {limit:g}{unit}",
            "figure": "–" if figure is None else form.format(figure) + unit,
            "met": met})

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def chart(self, title, unit, bars, goal=None):
        """bars: (label, values); drawn as their median with their range. Less is better unless the unit says so."""
        self.charts.append({
            "title": title, "unit": unit, "goal": goal,
            "bars": [{"label": label, "value": median(values), "low": min(values),
                      "high": max(values)} for label, values in bars]})

    def as_json(self):
        return vars(self)

    @classmethod
    def from_json(cls, fields):
        result = cls(fields["name"], fields["title"])
        vars(result).update(fields)
        return result


def verdict(goal):
    return {True: "met", False: "missed", None: "not measured here"}[goal["met"]]


def goal_lines(result):
    for goal in result.goals:
        yield f"{goal['what']}: {goal['figure']} (goal {goal['goal']}): {verdict(goal)}"


def text_table(columns, lines):
    """For a terminal."""
    widths = [max(len(row[i]) for row in [columns, *lines]) for i in range(len(columns))]
    for row in [columns, *lines]:
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip()


def as_text(result):
    out = [f"\n== {result.name}: {result.title}"]
    out += [f"   {line}" for line in goal_lines(result)]
    out += [f"   {line}" for line in text_table(result.columns, result.lines)]
    out += [f"   note: {note}" for note in result.notes]
    return "\n".join(out)


def as_markdown(result, chart_names):
    out = [f"### {result.name}: {result.title}", ""]
    out += [f"- {line}" for line in goal_lines(result)]
    out += ["", "| " + " | ".join(result.columns) + " |", "| --- " * len(result.columns) + "|"]
    out += ["| " + " | ".join(line) + " |" for line in result.lines]
    out += [line for note in result.notes for line in ("", note)]
    out += [line for name, title in chart_names for line in ("", f"![{title}]({name})")]
    return "\n".join(out) + "\n"


def goal_table(results):
    """Every goal in one table, for the top of a report."""
    out = ["| row | what | goal | figure | |", "| --- | --- | --- | --- | --- |"]
    for result in results:
        for goal in result.goals:
            out.append(f"| {result.name} | {goal['what']} | {goal['goal']} | {goal['figure']} | "
                       f"{verdict(goal)} |")
    return "\n".join(out) + "\n"
