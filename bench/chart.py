# SPDX-License-Identifier: Apache-2.0
"""Bars as SVG, readable on light and on dark ground: colours follow prefers-color-scheme."""
import html

STYLE = """
text { font: 13px system-ui, sans-serif; fill: #1f2328; }
.title { font-weight: 600; } .value, .goal-text { font-size: 12px; }
.back { fill: #ffffff; } .bar { fill: #8c959f; } .ours { fill: #0969da; }
.range { stroke: #1f2328; stroke-width: 1.5; } .goal { stroke: #bf3989; stroke-dasharray: 4 3; }
.goal-text { fill: #bf3989; }
@media (prefers-color-scheme: dark) {
  text { fill: #e6edf3; } .back { fill: #0d1117; } .bar { fill: #6e7681; } .ours { fill: #4493f8; }
  .range { stroke: #e6edf3; } .goal { stroke: #f778ba; } .goal-text { fill: #f778ba; }
}"""

WIDTH, LABELS, VALUES, ROW, TOP, BOTTOM = 720, 170, 130, 26, 40, 26


def number(value):
    if value == 0:
        return "0"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:,.{digits}f}"


def heading(chart):
    return ", ".join(part for part in (chart["title"], chart["unit"]) if part)


def draw(chart):
    """chart: as Result.chart makes it. The text of a file."""
    bars, goal = chart["bars"], chart["goal"]
    largest = max([bar["high"] for bar in bars] + [goal or 0]) or 1
    room = WIDTH - LABELS - VALUES
    height = TOP + ROW * len(bars) + BOTTOM

    def x(value):
        return LABELS + room * max(0, value) / largest

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
           f'viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{html.escape(chart["title"])}">',
           f"<style>{STYLE}</style>", f'<rect class="back" width="{WIDTH}" height="{height}"/>',
           f'<text class="title" x="12" y="24">{html.escape(heading(chart))}</text>']
    for i, bar in enumerate(bars):
        y = TOP + ROW * i
        kind = "ours" if bar["label"].startswith("ingot") else "bar"
        out.append(f'<text x="{LABELS - 10}" y="{y + 15}" text-anchor="end">'
                   f'{html.escape(bar["label"])}</text>')
        out.append(f'<rect class="{kind}" x="{LABELS}" y="{y + 2}" rx="2" height="{ROW - 8}" '
                   f'width="{max(1, x(bar["value"]) - LABELS):.1f}"/>')
        if bar["high"] > bar["low"]:
            out.append(f'<path class="range" d="M{x(bar["low"]):.1f} {y + 11}H'
                       f'{x(bar["high"]):.1f}"/>')
        out.append(f'<text class="value" x="{x(bar["high"]) + 8:.1f}" y="{y + 15}">'
                   f'{number(bar["value"])}</text>')
    if goal is not None:
        bottom = height - BOTTOM
        out.append(f'<path class="goal" d="M{x(goal):.1f} {TOP - 4}V{bottom + 4}"/>')
        out.append(f'<text class="goal-text" x="{x(goal):.1f}" y="{bottom + 18}" '
                   f'text-anchor="middle">goal {number(goal)}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"
