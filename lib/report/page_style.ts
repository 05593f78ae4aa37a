/** Style and script of report.html, for light and dark mode, narrow screens and print. @module */

/** CSS of the page. */
export const STYLE = `
:root{color-scheme:light dark;--bg:#fbfaf7;--card:#fff;--ink:#1d1d22;--soft:#63636e;--line:#e4e2db;--accent:#0b7a6b;--second:#b4387c;
--faint:#a9b8c9;--good:#0b7a6b;--bad:#b3341f;--mark:#d8f3e6;--best:#e6f5ef}
@media (prefers-color-scheme:dark){:root{--bg:#131416;--card:#1b1d20;--ink:#ececf0;--soft:#9d9daa;--line:#2f3238;--accent:#4fd1b5;--second:#f08bc0;
--faint:#56657a;--good:#4fd1b5;--bad:#ff8d75;--mark:#14513f;--best:#17352d}}
*{box-sizing:border-box}
body{margin:0;background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI",Roboto,"Noto Sans","Helvetica Neue",sans-serif;
font-variant-numeric:tabular-nums;-webkit-text-size-adjust:100%}
main{max-width:68rem;margin:0 auto;padding:2.5rem 1.25rem 4rem}
.eyebrow{color:var(--soft);font-size:.875rem;margin:0 0 .75rem;overflow-wrap:anywhere}
h1{font-size:clamp(1.6rem,4.2vw,2.6rem);line-height:1.15;letter-spacing:-.02em;margin:0 0 1rem;text-wrap:balance;font-weight:680}
h2{font-size:1.2rem;letter-spacing:-.01em;margin:3rem 0 .35rem}
.lead{color:var(--soft);margin:0 0 1rem;max-width:46rem}
code,pre{font:.86em/1.5 ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace;overflow-wrap:anywhere}
.card,.chart,.intervals,details{background:var(--card);border:1px solid var(--line);border-radius:10px}
.card>p,.card>ul{margin:.8rem 1.1rem}
figure{margin:0}
.result{display:grid;grid-template-columns:minmax(0,1fr) 19.5rem;gap:.9rem;align-items:stretch}
.facts{align-content:center;font-size:.875rem;gap:.3rem .8rem}
.intervals{padding:1rem 1.25rem .75rem}
figcaption{font-size:.875rem}
svg{display:block;width:100%;height:auto;overflow:visible}
svg text{font-size:10px;fill:var(--soft);font-family:inherit}
.intervals figcaption{color:var(--soft);margin-bottom:.5rem}
.interval{display:grid;grid-template-columns:16rem 1fr 4.2rem;gap:0 .9rem;align-items:center;font-size:.94rem;line-height:1.9rem}
.interval>div{position:relative;height:1.9rem}.interval strong{text-align:right;font-weight:650}
.interval u{position:absolute;top:0;bottom:0;border-left:1px solid var(--line)}.interval u.zero{border-left:2px solid var(--soft);margin-left:-1px}
.interval i{position:absolute;top:calc(50% - 2px);height:4px;border-radius:2px;background:var(--faint)}
.interval b{position:absolute;top:calc(50% - 6px);width:12px;height:12px;margin-left:-6px;border-radius:50%;background:var(--soft);border:2px solid var(--card)}
.better i,.better b{background:var(--good)}.worse i,.worse b{background:var(--bad)}
.axis,.axis>div{font-size:.75rem;color:var(--soft);height:1.4rem;line-height:1.4rem}.axis div span{position:absolute;transform:translateX(-50%)}
.grid{stroke:var(--line)}
.scroll{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.94rem}
th,td{padding:.42rem .8rem;text-align:right;border-top:1px solid var(--line);vertical-align:top}
th:first-child,td:first-child{text-align:left;padding-left:1.1rem}
td:last-child,th:last-child{padding-right:1.1rem}
thead th{border-top:0;font-weight:650;padding-top:.7rem;white-space:nowrap}
tbody th{font-weight:500}
tr.mode th{color:var(--accent);font-weight:650;padding-top:1rem;font-size:.875rem}
td b{white-space:nowrap}td small{color:var(--soft);white-space:nowrap}
td.best{background:var(--best)}td.best b{color:var(--good)}
.warnings td{text-align:left}.warnings th,.warnings td:nth-child(2){white-space:nowrap}.warnings tr:first-child>*{border-top:0}
.arrow{color:var(--soft)}
.charts{display:grid;grid-template-columns:repeat(auto-fill,minmax(18.5rem,1fr));gap:.9rem}
.chart{padding:.8rem .9rem .6rem}
.chart figcaption small{grid-column:1/-1;color:var(--soft);line-height:1.35;min-height:2.7em;margin:.1rem 0 .3rem}
.chart figcaption{display:grid;grid-template-columns:1fr auto;gap:0 .6rem}.chart output{color:var(--soft);text-align:right}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}
.line.main{stroke:var(--accent)}.line.second{stroke:var(--second)}.line.faint{stroke:var(--faint);stroke-width:1.1}
.dot.main{fill:var(--accent)}.dot.second{fill:var(--second)}
.key{white-space:nowrap}.key::before{content:"";display:inline-block;width:.9em;height:.2em;vertical-align:middle;margin-right:.35em;background:var(--faint)}
.key.main::before{background:var(--accent)}.key.second::before{background:var(--second)}.key+.key{margin-left:.8em}
.cursor{stroke:var(--soft);stroke-dasharray:2 3}
.prompt{margin:1rem 0 0;padding:1rem 1.1rem;break-inside:avoid}
.prompt>p{margin:0 0 .7rem;font-weight:600;white-space:pre-wrap;overflow-wrap:anywhere}
.responses{display:grid;grid-template-columns:repeat(auto-fit,minmax(13rem,1fr));gap:.8rem 1.3rem}
.responses h3{font-size:.875rem;margin:0 0 .15rem;color:var(--soft);font-weight:600;display:flex;justify-content:space-between;border-bottom:1px solid var(--line)}
.responses h3.subject{color:var(--accent)}
.responses p{margin:.3rem 0 0;white-space:pre-wrap;overflow-wrap:anywhere;font-size:.94rem}
.responses p+p{margin-top:.6rem}
.responses i{display:block;font-style:normal;color:var(--soft);font-size:.75rem}
mark{background:var(--mark);color:inherit;border-radius:3px;padding:0 .15em}
.truncated{color:var(--soft)}
details.rewards{border:0;background:none;padding:0;margin:.2rem 0 .4rem}.rewards summary{font-size:.75rem;font-weight:500;color:var(--soft);padding:.1rem 0}
.token{display:inline-block;text-align:center;font-size:.875rem;line-height:1.25;border-radius:3px;padding:0 .2em;margin:.1em 0}.token small{display:block;font-size:.65rem;color:var(--soft)}
.up1{background:color-mix(in srgb,var(--good) 12%,transparent)}.up2{background:color-mix(in srgb,var(--good) 24%,transparent)}.up3{background:color-mix(in srgb,var(--good) 38%,transparent)}.up4{background:color-mix(in srgb,var(--good) 54%,transparent)}
.down1{background:color-mix(in srgb,var(--bad) 12%,transparent)}.down2{background:color-mix(in srgb,var(--bad) 24%,transparent)}.down3{background:color-mix(in srgb,var(--bad) 38%,transparent)}.down4{background:color-mix(in srgb,var(--bad) 54%,transparent)}
.up3 small,.up4 small,.down3 small,.down4 small{color:inherit}
.times{padding:.6rem 1.1rem;display:grid;grid-template-columns:max-content 1fr max-content;gap:.3rem .9rem;align-items:center;font-size:.94rem}
.times div{background:var(--line);height:.6rem;border-radius:.3rem}.times div i{display:block;height:100%;background:var(--accent);border-radius:.3rem}
.times span:nth-child(3n){text-align:right}.times small{color:var(--soft)}
dl{display:grid;grid-template-columns:max-content 1fr;gap:.3rem 1.2rem;margin:0;padding:1rem 1.1rem;font-size:.94rem}
dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
details{margin-top:.8rem;padding:0 1.1rem}
summary{cursor:pointer;padding:.65rem 0;font-weight:600;font-size:.94rem}
details pre{white-space:pre-wrap;margin:0 0 1rem}
details .scroll{margin:0 -1.1rem .6rem}details table{font-size:.8rem}
footer{margin-top:3rem;color:var(--soft);font-size:.875rem;border-top:1px solid var(--line);padding-top:1rem}
@media (max-width:52rem){.result{grid-template-columns:1fr}}
@media (max-width:40rem){main{padding:1.5rem .9rem 3rem}th,td{padding:.4rem .35rem}th:first-child,td:first-child{padding-left:.7rem}
td:last-child,th:last-child{padding-right:.7rem}.compare{font-size:.8rem}.compare th[scope=col]{width:19%}.compare td small{display:block}.compare thead th{white-space:normal}
.intervals{padding:.8rem .8rem .5rem}.interval{grid-template-columns:1fr 4rem}.interval>span{grid-column:1/-1;line-height:1.3;padding-top:.4rem}dl.made{grid-template-columns:1fr;gap:0}dl.made dd{margin-bottom:.5rem}}
@media print{:root{color-scheme:light;--bg:#fff;--card:#fff;--ink:#000;--soft:#555;--line:#ddd;--accent:#0b7a6b;--second:#b4387c;--faint:#a9b8c9;--mark:#d8f3e6;--best:#e6f5ef;--good:#0b7a6b;--bad:#b3341f}
html{font-size:10.5px}body{font-size:1rem}main{padding:0;max-width:none}.result{grid-template-columns:minmax(0,1fr) 17rem}
.chart,.intervals,.times,tr{break-inside:avoid}.charts{grid-template-columns:repeat(3,1fr)}h2,.lead{break-after:avoid}h2{margin-top:2rem}details table{font-size:.7rem}details th,details td{padding:.25rem .3rem}}
`;

/** JavaScript of the page: values under the pointer, and everything unfolded in print. */
export const SCRIPT = `
for (const svg of document.querySelectorAll("svg[data-series]")) {
  const series = JSON.parse(svg.dataset.series);
  const output = svg.parentElement.querySelector("output");
  const cursor = svg.querySelector(".cursor");
  const rest = output.textContent;
  const nearest = (points, x) => points.reduce((a, b) => Math.abs(b[0] - x) < Math.abs(a[0] - x) ? b : a);
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const found = series.map((s) => [s.name, nearest(s.points, x)]);
    cursor.setAttribute("x1", found[0][1][0]);
    cursor.setAttribute("x2", found[0][1][0]);
    cursor.setAttribute("visibility", "visible");
    const values = found.slice(0, 3).map(([name, p]) => (series.length > 1 ? name + " " : "") + p[2]);
    output.textContent = svg.dataset.x + " " + Math.round(found[0][1][1]) + ": " + values.join(", ");
  });
  svg.addEventListener("pointerleave", () => {
    cursor.setAttribute("visibility", "hidden");
    output.textContent = rest;
  });
}
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((d) => d.open = true));
`;
