"""The page of `annotune dataset stats --html`: one file, without scripts, which asks for nothing else."""

from collections.abc import Mapping
from html import escape

from curation.dataset_stats import Bin, DatasetStats, Distribution

_SHOWN = 20
_HEIGHT, _STEP, _BAR = 100, 10, 8  # of the picture, in its own units
_STYLE = """
:root {
  color-scheme: light dark;
  --ink: #1d2530; --soft: #5a6675; --line: #d9dee5; --back: #f6f7f9; --card: #fff; --bar: #2f6fb0;
}
@media (prefers-color-scheme: dark) {
  :root { --ink: #e8ecf1; --soft: #a2adba; --line: #343c46; --back: #14181d; --card: #1d2229; --bar: #6ea8e0; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; }
main { max-width: 68rem; margin: 0 auto; padding: 2rem 1rem 3rem; }
h1 { margin: 0; font-size: 1.75rem; line-height: 1.2; overflow-wrap: anywhere; }
h2 { margin: 0 0 .75rem; font-size: 1.0625rem; }
p { margin: .25rem 0 1.5rem; color: var(--soft); }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(19rem, 100%), 1fr)); gap: 1rem; }
.card { min-width: 0; padding: 1rem 1.25rem; border: 1px solid var(--line); border-radius: .5rem; background: var(--card); }
.card p { margin: -.5rem 0 1rem; font-size: .875rem; }
table { width: 100%; border-collapse: collapse; font-size: .9375rem; }
td { padding: .25rem 0; border-top: 1px solid var(--line); overflow-wrap: anywhere; }
tr:first-child td { border-top: 0; }
td + td { padding-left: 1rem; text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
svg { display: block; width: 100%; height: 9rem; border-bottom: 1px solid var(--soft); }
rect.bar { fill: var(--bar); }
rect.hit { fill: transparent; }
.axis { display: flex; justify-content: space-between; padding-top: .25rem; color: var(--soft); font-size: .8125rem; }
"""


def stats_page(title: str, found: DatasetStats) -> str:
    """The page as HTML. It is readable in light and dark, on a desk and on a phone."""
    counts: dict[str, Mapping[str, int]] = {
        "Answers": found.kinds,
        "Drafted by": found.models,
        "Annotators": found.annotators,
        "Prompts": found.prompts,
        **{f"Labels of {name}": labels for name, labels in found.labels.items()},
        "Left out": found.manifest.left_out,
    }
    lengths = {f"Characters of {name}": each for name, each in found.lengths.items()}
    pictures = {**lengths, "Characters changed in a correction": found.edits}
    cards = [_picture(name, each) for name, each in pictures.items() if each.count]
    cards += [_table(name, each) for name, each in counts.items() if each]
    rows = f"{found.rows['train']:,} rows to train on, {found.rows['eval']:,} held out"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{_text(title)}</title>
<style>{_STYLE}</style>
</head>
<body>
<main>
<h1>{_text(title)}</h1>
<p>{rows}</p>
<div class="cards">
{"".join(cards)}</div>
</main>
</body>
</html>
"""


def _picture(title: str, values: Distribution) -> str:
    most = max(each.count for each in values.bins)
    bars = "".join(_bar(number, each, most) for number, each in enumerate(values.bins))
    last = values.bins[-1]
    end = f"{last.start:,} and more" if last.stop is None else f"{last.stop:,}"
    summary = f"median {values.median:,} · 95% ≤ {values.p95:,} · most {values.largest:,}"
    return f"""<section class="card">
<h2>{_text(title)}</h2>
<p>{summary}</p>
<svg viewBox="0 0 {len(values.bins) * _STEP} {_HEIGHT}" preserveAspectRatio="none" role="img" aria-label="{summary}">
{bars}</svg>
<div class="axis"><span>0</span><span>{end}</span></div>
</section>
"""


def _bar(number: int, each: Bin, most: int) -> str:
    height = max(each.count / most * _HEIGHT, 1 if each.count else 0)
    name = f"{each.start:,} and more" if each.stop is None else f"{each.start:,} to {each.stop - 1:,}"
    left, top = number * _STEP, _HEIGHT - height
    return (
        f'<g><title>{name}: {each.count:,}</title><rect class="hit" x="{left}" y="0" width="{_STEP}" height="{_HEIGHT}"/>'
        f'<rect class="bar" x="{left + (_STEP - _BAR) / 2:g}" y="{top:.2f}" width="{_BAR}" height="{height:.2f}"/>'
        "</g>\n"
    )


def _table(title: str, counts: Mapping[str, int]) -> str:
    rows = "".join(
        f"<tr><td>{_text(name)}</td><td>{count:,}</td></tr>\n" for name, count in list(counts.items())[:_SHOWN]
    )
    if len(counts) > _SHOWN:
        rows += f"<tr><td>and {len(counts) - _SHOWN:,} more</td><td></td></tr>\n"
    return f'<section class="card">\n<h2>{_text(title)}</h2>\n<table>\n{rows}</table>\n</section>\n'


def _text(text: str) -> str:
    """A text as HTML. What no page may hold, such as a lone surrogate, is replaced."""
    return escape(text.encode("utf-8", "replace").decode())
