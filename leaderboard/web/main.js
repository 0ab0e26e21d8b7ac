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
  report(rows, [...groups, ...languages]);
  fitBoxes();
  remember();
}

// A table that nearly fits is shown whole; a longer one scrolls in a box, under its headers.
function fitBoxes() {
  const tables = [...document.querySelectorAll(".scroll table")];
  const tall = tables.map((table) => table.offsetHeight > 1.3 * innerHeight);
  tables.forEach((table, number) => table.parentElement.classList.toggle("tall", tall[number]));
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
  showPair();
  show();
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
  for (const name of ["first", "second"]) at(name).addEventListener("change", () => { state[name] = at(name).value; if (seen) { showPair(); fitBoxes(); remember(); } });
  at("close").addEventListener("click", () => at("details").close());
  document.querySelectorAll("form").forEach((form) => form.addEventListener("submit", (event) => event.preventDefault()));
  window.addEventListener("resize", fitBoxes);
  window.addEventListener("beforeprint", () => { everything = true; show(); });
  window.addEventListener("afterprint", () => { everything = false; show(); });
}

fill("cells", [["score", "scores"], ["difference", "differences from the baseline"]], "score");
if (matchMedia("(max-width: 40rem)").matches) at("more-filters").open = false;
recall();
if (state.cells !== "difference") state.cells = "score";
listen();
turnTo();
