#include "report/style.h"

namespace tapir::report {

std::string_view style_sheet() {
  return R"css(
:root{color-scheme:light dark;
--bg:#f5f4f0;--card:#fff;--ink:#1d1d1b;--soft:#5c5b56;--faint:#8c8b84;--line:#e4e2db;
  --track:#eceae4;
--s0:#85847d;--main:#b8326a;--c1:#2f6fbf;--c2:#1f9183;--c3:#c78a00;--c4:#7457c2;--c5:#66832a;
--good:#17784a;--bad:#b3372b;--heat:18 116 120;--heat-on:#fff;--minus:186 58 44;--easy:#c9c7be}
@media (prefers-color-scheme:dark){:root{
--bg:#151514;--card:#1e1e1c;--ink:#ededea;--soft:#b5b4ad;--faint:#8b8a83;--line:#33322e;
  --track:#2a2a27;
--s0:#a09f98;--main:#f0709f;--c1:#6aa5f0;--c2:#43c0b0;--c3:#e6b440;--c4:#a992ec;--c5:#a5c25a;
--good:#56c28d;--bad:#f0857a;--heat:70 176 180;--heat-on:#0c1a1a;--minus:224 106 92;
  --easy:#55544d}}
*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-padding-top:56px}
body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,-apple-system,
  "Segoe UI",Roboto,"Helvetica Neue",sans-serif}
main,header>div{max-width:1120px;margin:0 auto;padding:0 16px}
header{padding:30px 0 6px}
h1{font-size:26px;line-height:1.2;margin:0;letter-spacing:-.01em}
.brand{color:var(--main);font-weight:700;letter-spacing:.02em;font-size:14px;margin:0 0 4px}
.meta{color:var(--soft);font-size:13px;margin:8px 0 0;overflow-wrap:anywhere}
.meta b{color:var(--ink);font-weight:600}
nav{position:sticky;top:0;z-index:2;background:var(--bg);border-bottom:1px solid var(--line)}
nav div{max-width:1120px;margin:0 auto;padding:8px 16px;display:flex;gap:4px;overflow-x:auto;
  scrollbar-width:none}
nav a{color:var(--soft);text-decoration:none;font-size:13px;padding:4px 10px;border-radius:14px;
  white-space:nowrap}
nav a:hover,nav a:focus-visible{background:var(--track);color:var(--ink)}
section{margin:34px 0 0}
h2{font-size:20px;margin:0 0 6px;letter-spacing:-.01em}
h3{font-size:14px;margin:0 0 10px;font-weight:600}
.lead{margin:0 0 14px;color:var(--soft);max-width:78ch}
.lead b{color:var(--ink)}
.verdict{font-size:19px;line-height:1.42;margin:14px 0 18px;max-width:62ch}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:16px;
  margin:0 0 14px;min-width:0}
.grid{display:grid;grid-template-columns:minmax(0,1fr);gap:14px}
.grid>.card{margin:0}
.grid+.card,.grid+details,.grid+.grid{margin-top:14px}
@media (min-width:1000px){.grid.thirds{grid-template-columns:repeat(3,minmax(0,1fr))}
  .thirds>.card{padding:14px 12px}}
@media (min-width:860px){.grid:not(.thirds){grid-template-columns:repeat(2,minmax(0,1fr))}
  .grid>.wide{grid-column:1/-1}}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:10px;
  margin:0 0 14px}
.tile{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:12px 14px}
.tile span{display:block;color:var(--soft);font-size:12.5px}
@media (max-width:520px){.tile:last-child:nth-child(odd){grid-column:1/-1}}
.tile b{display:block;font-size:25px;line-height:1.25;font-weight:650;letter-spacing:-.02em}
.tile small{color:var(--soft);font-size:12.5px}
.note{margin:10px 0 0;color:var(--soft);font-size:13px}
.alarm{background:var(--card);border:2px solid var(--bad);border-radius:10px;padding:12px 16px;
  margin:0 0 14px}
.alarm b{color:var(--bad);font-size:17px}
.alarm ul{margin:8px 0 0;padding-left:20px}
.notyet{color:var(--soft);background:var(--track);border-radius:8px;padding:10px 12px;
  margin:0 0 14px;font-size:14px}
.scroll{overflow-x:auto;margin:0 -4px;padding:0 4px}
table{border-collapse:collapse;width:100%;font-size:13.5px;font-variant-numeric:tabular-nums}
caption{text-align:left;color:var(--soft);font-size:13px;padding:0 0 6px}
th,td{padding:6px 10px;text-align:left;border-bottom:1px solid var(--line);vertical-align:top}
th{font-weight:500}
thead th{color:var(--soft);font-size:12.5px;white-space:nowrap;vertical-align:bottom}
tbody tr:last-child>*{border-bottom:0}
tbody th{overflow-wrap:normal}
.who{white-space:nowrap}
.n{text-align:right;white-space:nowrap}
td.n small{color:var(--soft)}
tr.main th,tr.main td,tr.sum th,tr.sum td{font-weight:650}
tr.sum>*{border-top:2px solid var(--line)}
tr.waiting{color:var(--faint)}
.up{color:var(--good)}.down{color:var(--bad)}
code,pre{font-family:ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
  font-size:12.5px}
code{overflow-wrap:anywhere}
pre{margin:0;white-space:pre-wrap;overflow-wrap:anywhere;line-height:1.45}
.plot svg{display:block;overflow:visible}
.plot{overflow:hidden}
text{font-size:12px;fill:var(--ink)}
.tick,.axis{fill:var(--soft);font-size:11.5px}
.name{font-size:13px}.figure{font-size:13px;font-weight:650}
.mark{font-weight:650}
.grid-line{stroke:var(--line);stroke-width:1}
.base-line{stroke:var(--faint);stroke-width:1}
.reference{stroke:var(--faint);stroke-dasharray:3 4}
.threshold{stroke:var(--ink);stroke-width:1.5;stroke-dasharray:5 4}
.bar-easy{fill:var(--easy)}.bar-hard{fill:var(--main)}
.whisker{stroke:currentColor;stroke-width:4;stroke-linecap:round;opacity:.38}
.point{fill:currentColor;stroke:var(--card);stroke-width:2}
.s0{color:var(--s0)}.main{color:var(--main)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{
  color:var(--c3)}.c4{color:var(--c4)}.c5{color:var(--c5)}
tr.main{color:inherit}
.curve{fill:none;stroke:currentColor;stroke-width:2;stroke-linejoin:round;
  vector-effect:non-scaling-stroke}
.agree{fill:var(--s0);fill-opacity:.55}.flip{fill:var(--bad);fill-opacity:.8}
.legend{display:flex;flex-wrap:wrap;gap:4px 16px;font-size:13px;margin:2px 0 8px}
.chip{display:inline-block;width:11px;height:11px;border-radius:3px;background:currentColor;
  margin-right:6px;vertical-align:-1px}
.chip.bar-hard{background:var(--main)}.chip.bar-easy{background:var(--easy)}
.minis{display:grid;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));gap:12px}
.mini{min-width:0}.mini b{display:block;font-size:13px;font-weight:600;overflow-wrap:anywhere}
.mini small{color:var(--soft);font-size:12px}
.heat{max-width:620px}
.thirds .heat{max-width:none}
.thirds .heat i{font-size:11.5px;padding:4px 0;min-width:26px}
.thirds .change i{font-size:10.5px}
.heat th,.heat td{border:0;padding:2px}
.heat thead th{text-align:center;padding-bottom:4px}
.heat tbody th{white-space:nowrap;padding-right:8px;font-size:12.5px;vertical-align:middle;
  width:1%}
.heat td{padding:1px}
.heat i{display:block;font-style:normal;text-align:center;min-width:27px;padding:4px 2px;
  border-radius:4px;font-size:12px;background:var(--track)}
.heat i.on{color:var(--heat-on)}
.heat tr.sum>*{border-top:8px solid transparent;font-weight:650}
.heat .gap{padding-left:10px}
.heat i.none{background:none}
.bullet{position:relative;display:block;height:10px;min-width:90px;background:var(--track);
  border-radius:3px;margin-top:5px}
.bullet i{position:absolute;left:0;top:0;bottom:0;background:var(--c1);border-radius:3px;
  max-width:100%}
.bullet u{position:absolute;top:-3px;bottom:-3px;width:2px;background:var(--ink)}
details{background:var(--card);border:1px solid var(--line);border-radius:10px;margin:0 0 10px}
summary{cursor:pointer;padding:11px 14px;font-size:14px;font-weight:550;overflow-wrap:anywhere}
details>.body{padding:2px 14px 14px}
details details{border-color:var(--line);background:var(--bg)}
.card details{margin:10px 0 0}
.ex summary{font-weight:450}
.tag{display:inline-block;font-size:12px;font-weight:650;padding:1px 8px;border-radius:10px;
  background:var(--track);margin-right:6px;white-space:nowrap}
.tag.up,.tag.down{background:color-mix(in srgb,currentColor 13%,transparent)}
.answers{display:grid;grid-template-columns:minmax(0,1fr);gap:10px}
@media (min-width:860px){.answers{grid-template-columns:repeat(3,minmax(0,1fr))}.answers.two{
  grid-template-columns:repeat(2,minmax(0,1fr))}}
.answer{border-left:3px solid currentColor;padding:2px 0 2px 12px;min-width:0}
.answer>*{color:var(--ink)}
.answer h4{margin:0 0 4px;font-size:12.5px;font-weight:600}
.answer h4 small{color:var(--soft);font-weight:450}
.answer.teacher{color:var(--c4)}
.ask{margin:0 0 12px}
.words{margin:12px 0 0;color:var(--soft);font-size:13px}
.words h4{margin:0 0 3px;font-size:12.5px;color:var(--ink);font-weight:600}
.words pre{color:var(--soft)}
.more{color:var(--faint)}
ul.plain{margin:8px 0 0;padding:0 0 0 18px;font-size:13.5px;color:var(--soft)}
footer{color:var(--faint);font-size:12.5px;margin:44px 0 30px}
@media (max-width:520px){body{font-size:14.5px}.card{padding:13px 12px}h1{font-size:23px}
  .verdict{font-size:17px}th,td{padding:5px 8px}.tile b{font-size:22px}}
@media print{nav{display:none}.card,details{break-inside:avoid}}
)css";
}

}  // namespace tapir::report
