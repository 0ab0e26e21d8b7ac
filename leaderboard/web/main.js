// Everything together: what is chosen is drawn.
const PAGE = 25; // entries at a time: a screen of them; with more, a click on a header is felt
let everything = false; // all pages at once, for the printer

const groupTable = new Grid("groups", () => `Means of groups, ${about()}`, sortBy);
const languageTable = new Grid("languages", () => `${state.cells === "score" ? "Scores" : "Differences from the baseline"} in each language, ${about()}`, sortBy);
const about = () => `${seen.section.title}, profile ${state.profile}, protocol ${seen.section.protocols[state.protocol]}`;

function show() {
  if (!seen) return;
  const [groups, languages] = [groupColumns(), languageColumns()];
  const rows = sorted(rowsInSight(), [...groups, ...languages]);
  const pages = Math.max(1, Math.ceil(rows.length / PAGE));
  state.page = String(Math.max(0, Math.min(Math.trunc(Number(state.page)) || 0, pages - 1)));
  const from = everything ? 0 : Number(state.page) * PAGE;
  const to = everything ? rows.length : Math.min(rows.length, from + PAGE);
  const sort = state.sort ? { key: state.sort, down: state.order !== "up" } : null;
  groupTable.draw(groups, rows, from, to, sort);
  languageTable.draw(languages, rows, from, to, sort);
  document.querySelectorAll(".pages").forEach((nav) => pager(nav, rows.length, from, to, pages));
  report(rows, [...groups, ...languages], languages.length);
  remember();
}

function pager(nav, total, from, to, pages) {
  const page = Number(state.page);
  const turn = (text, number) => {
    const button = make("button", { type: "button" }, text);
    button.disabled = number < 0 || number >= pages;
    button.addEventListener("click", () => { state.page = String(number); show(); nav.querySelector("button:not(:disabled)")?.focus(); });
    return button;
  };
  nav.hidden = pages < 2;
  nav.replaceChildren(turn("Previous", page - 1), make("span", {}, `${count(from + 1)} to ${count(to)} of ${count(total)}`), turn("Next", page + 1));
}

function report(rows, columns) {
  const every = seen.data.lines.length;
  const all = seen.places.filter((place) => !place.group && place.column).length;
  const column = columns.find((one) => one.key === state.sort);
  const order = column ? `by ${column.title}, ${state.order === "up" ? "rising" : "falling"}` : "in the leaderboard's order";
  const entries = rows.length ? `${count(rows.length)} of ${count(every)} entries, ${order}` : "No entry fits; clear the filters";
  say("status", `${entries}; ${count(shownPlaces().length)} of ${count(all)} languages.`);
}

function words() {
  const drawn = seen.section.evidence;
  const judged = seen.pairs.size > 0;
  const none = "There are no intervals here: ";
  const why = seen.view.split !== "test" ? `${none}evidence is of the regular test split alone.`
    : drawn ? `${none}no two entries here have predictions to compare.` : `${none}the leaderboard was built without evidence.`;
  say("groups-text", judged ? "Rank: entries that the data does not tell apart share one. Bold: the best, and what the data does not tell apart from it, where it shows that others are worse." : why);
  const differences = "Entry less the baseline (method standard, trained alike), in points. A dot: it has no baseline. ";
  const support = judged ? "▲ and ▼, and a colour: the data supports it. " : "No intervals, so that nothing says which of them are noise. ";
  say("languages-text", state.cells === "difference" ? differences + support : "Choose a cell for its spread, counts and command; arrow keys go from cell to cell.");
  say("evidence-text", drawn ? core.evidence.replace("{draws}", count(drawn.draws)) : "");
  const [shared, size] = seen.data.shared || [];
  say("rank-text", shared ? `${core.ranks} Here: ${shared} of ${size} languages.` : "");
  say("cost-text", core.costs);
}

function scale() {
  const steps = state.cells === "score"
    ? Array.from({ length: 10 }, (_, step) => [`f${step}`, `${10 * step}–${10 * step + 10}`])
    : [...BANDS.map((band, step) => [`d${step + 1}`, band === 10 ? "▼ 10 and more" : `▼ ${band}–${BANDS[step + 1]}`]).reverse(), ["", seen.pairs.size ? "not supported, or less than 0.5" : "less than 0.5"],
      ...BANDS.map((band, step) => [`u${step + 1}`, band === 10 ? "▲ 10 and more" : `▲ ${band}–${BANDS[step + 1]}`])];
  at("scale").replaceChildren(...steps.map(([name, text]) => make("li", { class: name || null }, text)));
}

function notes() {
  document.querySelectorAll(".section-notes").forEach((one) => { one.hidden = !one.id.endsWith(`-${state.section}`); });
}

// Another view: its data may have to be read first.
async function turnTo() {
  try {
    if (!(await look())) return;
  } catch (error) {
    seen = null; // no number may stay under the name of another view
    document.querySelectorAll("table").forEach((table) => table.replaceChildren());
    return void say("status", `This view cannot be shown: ${error.message}.`);
  }
  fillView();
  fillFilters();
  fillPair();
  notes();
  refresh();
}

function refresh() {
  if (!seen) return;
  at("cells").value = state.cells;
  words();
  scale();
  show();
  showPair();
}

function listen() {
  for (const name of ["section", "split", "profile", "protocol"]) {
    at(name).addEventListener("change", () => {
      state[name] = at(name).value;
      if (name === "section") Object.assign(state, { split: "", profile: "", protocol: "", first: "", second: "", sort: "", order: "" });
      turnTo();
    });
  }
  at("search").addEventListener("input", () => { state.search = at("search").value; state.page = "0"; show(); });
  for (const name of [...ENTRY_FILTERS, ...LANGUAGE_FILTERS]) {
    at(name).addEventListener("change", () => { state[name] = at(name).value; state.page = "0"; refresh(); });
  }
  at("reset").addEventListener("click", () => { for (const name of FILTERS) state[name] = ""; if (seen) fillFilters(); refresh(); });
  at("cells").addEventListener("change", () => { state.cells = at("cells").value; refresh(); });
  for (const name of ["first", "second"]) at(name).addEventListener("change", () => { state[name] = at(name).value; if (seen) { showPair(); remember(); } });
  at("close").addEventListener("click", () => at("details").close());
  document.querySelectorAll("form").forEach((form) => form.addEventListener("submit", (event) => event.preventDefault()));
  window.addEventListener("beforeprint", () => { everything = true; show(); });
  window.addEventListener("afterprint", () => { everything = false; show(); });
}

fill("cells", [["score", "scores"], ["difference", "differences from the baseline"]], "score");
if (matchMedia("(max-width: 40rem)").matches) at("more-filters").open = false;
recall();
if (state.cells !== "difference") state.cells = "score";
listen();
turnTo();
