// Tables sort by a column when its heading is pressed, and are one stop of the tabulator key, with arrows inside;
// what pointing at a mark shows, a touch shows, too; printing hides nothing published. Pages are complete without it.
"use strict";
const SCALES = { ns: 1, "µs": 1e3, ms: 1e6, s: 1e9, pps: 1, kpps: 1e3, Mpps: 1e6, Gpps: 1e9, Mbps: 1e6, Gbps: 1e9, B: 1, "%": 0.01 };

// What a cell is sorted by: its number in the base of its unit, or its text.
const sortValue = (cell) => {
  if (cell === undefined) return "";
  if (cell.dataset.sort !== undefined) return Number(cell.dataset.sort);
  const text = cell.textContent.trim();
  const found = /^([-\u2212]?[\d.,\u2009\u202f ]*\d)\s*([^\s\d±]*)(\s*±.*)?$/.exec(text);
  if (!found || !(found[2] === "" || found[2] in SCALES)) return text;
  const number = Number(found[1].replace("\u2212", "-").replace(/[,\u2009\u202f ]/g, ""));
  return Number.isNaN(number) ? text : number * (SCALES[found[2]] ?? 1);
};

const inOrder = (a, b) => {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a !== typeof b) return typeof a === "number" ? -1 : 1;
  return a.localeCompare(b, "en", { numeric: true });
};

for (const table of document.querySelectorAll("table.sortable")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[table.tHead.rows.length - 1].cells];
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keyed = [...body.rows].map((row) => [sortValue(row.cells[column]), row]);
      keyed.sort((left, right) => inOrder(left[0], right[0]));
      if (down) keyed.reverse();
      body.append(...keyed.map(([, row]) => row));
    });
  });
}

// A table is one stop: arrows go on from it.
const stopsOf = (row) => [...row.querySelectorAll("a[href], button")];
for (const table of document.querySelectorAll("table")) {
  const stops = stopsOf(table);
  if (stops.length < 2) continue;
  stops.forEach((stop, place) => { stop.tabIndex = place === 0 ? 0 : -1; });
  table.closest(".scroll")?.removeAttribute("tabindex");
  table.addEventListener("focusin", (event) => {
    stopsOf(table).forEach((stop) => { stop.tabIndex = stop === event.target ? 0 : -1; });
  });
  table.addEventListener("keydown", (event) => {
    const row = event.target.closest("tr");
    const rows = [...table.rows].filter((other) => stopsOf(other).length > 0);
    const inside = row ? stopsOf(row) : [];
    const [place, at] = [inside.indexOf(event.target), rows.indexOf(row)];
    if (at < 0 || place < 0) return;
    const beside = (other) => other && (stopsOf(other)[place] ?? stopsOf(other)[0]);
    const next = {
      ArrowRight: () => inside[place + 1],
      ArrowLeft: () => inside[place - 1],
      ArrowDown: () => beside(rows[at + 1]),
      ArrowUp: () => beside(rows[at - 1]),
      Home: () => beside(rows[0]),
      End: () => beside(rows[rows.length - 1]),
    }[event.key]?.();
    if (!next) return;
    event.preventDefault();
    next.focus();
  });
}

// A touch on a mark, or on a cell with more to say, shows what pointing at it does.
let tip = null;
const hideTip = () => { tip?.remove(); tip = null; };
document.addEventListener("click", (event) => {
  if (tip?.contains(event.target)) return;
  hideTip();
  if (event.pointerType !== "touch" && event.pointerType !== "pen") return;
  const mark = event.target.closest("svg .mark, svg .open, svg .bar, svg .reference, td[title], code[title]");
  const text = mark?.querySelector("title")?.textContent ?? mark?.getAttribute("title");
  if (!text || event.target.closest("td a")) return;
  tip = document.createElement("div");
  tip.className = "tip";
  tip.setAttribute("role", "status");
  tip.textContent = text;
  const link = mark.closest("a");
  if (link) {
    event.preventDefault();
    const more = document.createElement("a");
    more.href = link.getAttribute("href");
    more.textContent = "Page of this test";
    tip.append("\n", more);
  }
  document.body.append(tip);
  const left = Math.min(event.pageX, document.documentElement.clientWidth - tip.offsetWidth - 8);
  tip.style.left = `${Math.max(8, left)}px`;
  tip.style.top = `${event.pageY + 12}px`;
});
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });

window.addEventListener("beforeprint", () => {
  for (const details of document.querySelectorAll("details.published")) details.open = true;
});
