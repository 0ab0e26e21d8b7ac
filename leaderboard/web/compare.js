// Two entries side by side: their difference in each group and language.
let comparison = null;

function choose(first, second) {
  [state.first, state.second] = [first, second].map((row) => String(seen.data.lines[row]));
  fillPair();
  showPair();
  remember();
}

// The best entry that has a baseline, and that, where the reader has not chosen.
function fillPair() {
  const rows = rowsInSight();
  const every = seen.data.lines.map((line, row) => row);
  const usual = rows.find((row) => baseline(row) !== undefined) ?? rows[0] ?? 0;
  const there = (line) => line !== "" && seen.position.has(Number(line));
  if (!there(state.first)) state.first = String(seen.data.lines[usual]);
  if (!there(state.second)) state.second = String(seen.data.lines[baseline(usual) ?? every.find((row) => row !== usual) ?? usual]);
  const encoder = commonEncoder() ? () => "" : (row) => `, ${fact(row, "encoder")}`;
  const named = every.map((row) => [String(seen.data.lines[row]), `${fact(row, "label")}${fact(row, "published") ? " (published)" : ""}${encoder(row)}`]);
  fill("first", named, state.first);
  fill("second", named, state.second);
}

function showPair() {
  at("compare-section").hidden = seen.data.lines.length < 2;
  const [row, other] = [state.first, state.second].map((line) => seen.position.get(Number(line)));
  const shown = seen.places.filter((place) => place.column && (place.group || fits(place)));
  const found = new Map(shown.map((place) => [place.number, row === other ? null : difference(row, other, place)]));
  const ends = [...found.values()].filter(Boolean).flatMap((one) => [one.value, one.low ?? 0, one.high ?? 0]).map(Math.abs);
  const reach = Math.ceil(Math.max(1, ...ends));
  const columns = pairColumns(row, other, found, reach);
  comparison ||= new Grid("compare", () => `Difference between ${at("first").selectedOptions[0]?.text} and ${at("second").selectedOptions[0]?.text}`);
  comparison.draw(columns, shown.map((place) => place.number), 0, Infinity);
  tell("compare-text", pairText(row, other, [...found.values()].filter(Boolean)));
}

function pairText(row, other, found) {
  if (row === other) return "These are one entry; choose another one.";
  const judged = found.filter((one) => one.known);
  if (!judged.length) return `Scores over all seeds of each, and the difference in points, without intervals: ${whyNone(row, other)}.`;
  const others = judged.length < found.length ? " (without an interval: over all seeds of each)" : "";
  return `Scores, and the difference in points, are over the seeds that both have${others}. `
    + (judged.every((one) => one.seeds < 2) ? `No difference is marked: ${ONE_SEED}.`
      : "▲ and ▼ mark what the data supports: p (Holm) is below 0.05, and the interval leaves out 0 also when it is corrected for the number of languages or groups.");
}

function pairColumns(row, other, found, reach) {
  const of = (number, text) => plainCell(found.get(number) ? text(found.get(number)) : "–", !found.get(number));
  const score = (which, name) => (number) => {
    const value = found.get(number)?.[name] ?? mean(which, seen.places[number]);
    return plainCell(value === null ? missingText(which, seen.places[number]) : fixed(value), value === null);
  };
  const known = [...found.values()].some((one) => one && one.known);
  const judged = [
    { title: "95 % interval", cell: (number) => of(number, (one) => (!one.known ? "–" : `${signed(one.low)} to ${signed(one.high)}`)) },
    { title: `from −${reach} to +${reach}`, cell: (number) => make("td", { class: "plain" }, found.get(number) ? picture(found.get(number), reach) : "") },
    { title: "p (Holm)", cell: (number) => of(number, (one) => (one.known ? probability(one.p).replace(/^p (= )?/, "") : "–")) },
    { title: "Seeds", cell: (number) => of(number, (one) => (one.known ? String(one.seeds) : "–")) },
  ];
  return [
    { title: "Group or language", cell: (number) => make("span", { class: "cellname" }, fullName(seen.places[number])) },
    { title: "Entry", cell: score(row, "own") }, { title: "Less", cell: score(other, "its") },
    { title: "Difference", cell: (number) => of(number, (one) => `${one.supported ? `${arrow(one.value)} ` : ""}${signed(one.value)}`) },
    ...(known ? judged : []),
  ];
}

const fullName = (place) => (place.group ? place.name : `${place.name}, ${place.dataset}`);

// The interval as a line over a scale that all rows share; the numbers stand beside it.
function picture(one, reach) {
  const draw = (tag, attributes) => {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    return element;
  };
  const x = (value) => (100 + (value / reach) * 94).toFixed(1);
  const svg = draw("svg", { class: "interval", viewBox: "0 0 200 20", "aria-hidden": "true" });
  svg.append(draw("line", { class: "zero", x1: 100, x2: 100, y1: 0, y2: 20 }));
  if (one.known) svg.append(draw("line", { class: "span", x1: x(one.low), x2: x(one.high), y1: 10, y2: 10 }));
  svg.append(draw("circle", { class: one.supported ? "dot supported" : "dot", cx: x(one.value), cy: 10, r: 4 }));
  return svg;
}
