"""The style of the page of a handshake: light and dark, by what the reader's system prefers; for a phone, too."""

STYLE = """
:root {
  --paper: #f7f6f2; --card: #fffefb; --ink: #1d2126; --soft: #5d646d; --line: #e2dfd6; --chip: #efede6;
  --accent: #0b7a6b; --accent-ink: #ffffff; --accent-soft: #dcefeb; --warn: #9a5b00; --warn-soft: #f8ead2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #101418; --card: #171c22; --ink: #e6e9ec; --soft: #98a2ad; --line: #29313a; --chip: #212932;
    --accent: #4fd1b8; --accent-ink: #08251f; --accent-soft: #143a34; --warn: #f0b45b; --warn-soft: #3a2c14;
  }
}
* { box-sizing: border-box; }
html { color-scheme: light dark; -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "DejaVu Sans", sans-serif;
}
main { max-width: 62rem; margin: 0 auto; padding: 2.5rem 1.25rem 3rem; }
code, .mono { font-family: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace; }
code { font-size: .92em; overflow-wrap: anywhere; }
.brand { margin: 0 0 .6rem; color: var(--soft); font-size: .85rem; letter-spacing: .04em; }
.brand b { color: var(--accent); font-weight: 600; }
h1 {
  margin: 0; font-size: clamp(1.9rem, 5.2vw, 2.9rem); line-height: 1.12; letter-spacing: -.025em;
  font-weight: 680;
}
.lead { margin: .9rem 0 0; max-width: 50rem; font-size: 1.1rem; color: var(--soft); }
.lead strong { color: var(--ink); font-weight: 600; }
h2 { margin: 2.75rem 0 .9rem; font-size: 1.15rem; letter-spacing: -.01em; font-weight: 650; }
h2 small { margin-left: .35rem; color: var(--soft); font-size: .85rem; font-weight: 400; letter-spacing: 0; }
h3 { margin: 1.2rem 0 .45rem; font-size: .8rem; color: var(--soft); font-weight: 600; }
p { margin: 0; }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(17rem, 1fr)); gap: .8rem; margin-top: 2rem; }
.tile, .card { background: var(--card); border: 1px solid var(--line); border-radius: 14px; }
.tile { padding: 1rem 1.1rem 1.05rem; }
.tile .label { display: flex; justify-content: space-between; gap: .5rem; color: var(--soft); font-size: .8rem; }
.tile .value {
  margin: .3rem 0 .35rem; font-size: 1.06rem; line-height: 1.35; font-weight: 640; overflow-wrap: anywhere;
}
.tile .note { color: var(--soft); font-size: .86rem; line-height: 1.45; }
.badge { padding: 0 .5rem; border-radius: 99px; font-size: .74rem; line-height: 1.45rem; white-space: nowrap; }
.badge.good { background: var(--accent-soft); color: var(--accent); }
.badge.fair { background: var(--warn-soft); color: var(--warn); }
.card { padding: 1.1rem 1.25rem 1.2rem; }
dl { display: grid; grid-template-columns: 9.5rem minmax(0, 1fr); gap: .45rem 1rem; margin: 0; }
dt { color: var(--soft); font-size: .9rem; }
dd { margin: 0; overflow-wrap: anywhere; }
.none { color: var(--soft); }
.talk { margin: 0; padding: 0; list-style: none; }
.ends { display: flex; justify-content: space-between; margin-bottom: .35rem; font-size: .85rem; font-weight: 600; }
.talk li {
  position: relative; padding: .32rem .9rem .28rem; border-bottom: 2px solid var(--soft); margin-bottom: .3rem;
}
.talk li::after {
  content: ""; position: absolute; bottom: -5px; width: 8px; height: 8px; border: solid var(--soft);
  border-width: 2px 2px 0 0;
}
.talk .client::after { right: 1px; transform: rotate(45deg); }
.talk .server::after { left: 1px; transform: rotate(-135deg); }
.talk .server { text-align: right; }
.talk .sealed, .talk .sealed::after { border-color: var(--accent); }
.talk b { font-weight: 560; }
.talk span { margin-left: .6rem; color: var(--soft); font-size: .82rem; font-variant-numeric: tabular-nums; }
.legend { margin-top: .8rem; color: var(--soft); font-size: .85rem; }
.legend i { display: inline-block; width: 1.4rem; margin: 0 .35rem .22rem 0; border-bottom: 2px solid var(--soft); }
.legend i.sealed { border-color: var(--accent); margin-left: 1.1rem; }
.print {
  display: flex; flex-wrap: wrap; align-items: center; gap: .15rem; margin-bottom: 1rem; color: var(--soft);
  font-size: clamp(1rem, 3.6vw, 1.5rem);
}
.print span { padding: .15rem .55rem; border-radius: 8px; background: var(--accent-soft); color: var(--accent); }
.chips { display: flex; flex-wrap: wrap; gap: .35rem; margin: 0; padding: 0; list-style: none; }
.chips li {
  padding: .1rem .6rem; border-radius: 99px; background: var(--chip); font-size: .84rem; overflow-wrap: anywhere;
}
.chips .chosen { background: var(--accent); color: var(--accent-ink); font-weight: 600; }
.chips .grease, .chips .more { background: none; border: 1px dashed var(--line); color: var(--soft); }
table { width: 100%; border-collapse: collapse; font-size: .92rem; }
th { padding: 0 .75rem .4rem 0; color: var(--soft); font-size: .8rem; font-weight: 600; text-align: left; }
td { padding: .42rem .75rem .42rem 0; border-top: 1px solid var(--line); vertical-align: baseline; }
td:first-child { overflow-wrap: anywhere; }
th.number, td.number {
  padding-right: 1.5rem; color: var(--soft); text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap;
}
td:last-child, th:last-child { padding-right: 0; }
td.why { color: var(--soft); }
.grease td:first-child { color: var(--soft); }
footer {
  margin-top: 2.75rem; padding-top: 1.1rem; border-top: 1px solid var(--line); color: var(--soft);
  font-size: .88rem;
}
a { color: var(--accent); text-underline-offset: .18em; }
@media (max-width: 36rem) {
  main { padding: 1.6rem 1rem 2.2rem; }
  .lead { font-size: 1.02rem; }
  .tiles { grid-template-columns: 1fr; gap: .6rem; margin-top: 1.4rem; }
  .card { padding: .95rem 1rem 1.05rem; }
  dl { grid-template-columns: 1fr; gap: 0; }
  dd { margin-bottom: .65rem; }
  .talk li { padding: .32rem .5rem .28rem; }
  .why, .talk .when { display: none; }
  td, th { padding-right: .5rem; }
}
@media print { :root { --paper: #fff; } .card, .tile { break-inside: avoid; } }
"""
