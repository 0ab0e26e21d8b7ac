// Which entries and languages are in sight, and in what order the entries stand.
const ENTRY_FILTERS = ["method", "encoder", "origin"];
const LANGUAGE_FILTERS = ["dataset", "family", "script", "size"];
const FILTERS = ["search", ...ENTRY_FILTERS, ...LANGUAGE_FILTERS];

const names = new Intl.Collator("en", { numeric: true });

const filtersLanguages = () => LANGUAGE_FILTERS.some((name) => state[name]);
const fits = (place) => LANGUAGE_FILTERS.every((name) => !state[name] || place[name] === state[name]);
const origin = (row) => (fact(row, "published") ? "published" : "own");

function rowsInSight() {
  const words = state.search.toLowerCase().split(/\s+/).filter(Boolean);
  const fitting = (row) => ENTRY_FILTERS.every((name) => !state[name] || (name === "origin" ? origin(row) : fact(row, name)) === state[name]);
  const found = (row) => {
    const text = `${fact(row, "label")} ${fact(row, "encoder")}`.toLowerCase();
    return words.every((word) => text.includes(word));
  };
  return seen.data.lines.map((line, row) => row).filter((row) => fitting(row) && found(row));
}

// What has no value stands last, whichever way the others go; equal ones stay as the leaderboard has them.
function sorted(rows, columns) {
  const column = columns.find((one) => one.key === state.sort);
  if (!column) return rows;
  const values = new Map(rows.map((row) => [row, column.value(row)]));
  const order = column.text ? names.compare : (a, b) => a - b;
  const sign = state.order === "up" ? 1 : -1;
  const [having, lacking] = [rows.filter((row) => values.get(row) !== null), rows.filter((row) => values.get(row) === null)];
  return [...having.sort((a, b) => sign * order(values.get(a), values.get(b))), ...lacking];
}

// Scores fall at first, names and ranks rise; the same header again turns the order.
function sortBy(key) {
  const first = [...groupColumns(), ...languageColumns()].find((one) => one.key === key).first || "down";
  state.order = state.sort === key ? (state.order === "up" ? "down" : "up") : first;
  state.sort = key;
  state.page = "0";
  show();
}

function fill(id, choices, chosen) {
  const select = at(id);
  select.replaceChildren(...choices.map(([value, text]) => make("option", { value }, text)));
  select.value = chosen;
}

// Only what is there can be chosen; a choice with one answer is not offered.
function fillFilters() {
  const rows = seen.data.lines.map((line, row) => row);
  const values = {
    method: rows.map((row) => fact(row, "method")), encoder: rows.map((row) => fact(row, "encoder")), origin: rows.map(origin),
  };
  const there = seen.places.filter((place) => !place.group && place.column);
  for (const name of LANGUAGE_FILTERS) values[name] = there.map((place) => place[name]);
  for (const [name, every] of Object.entries(values)) {
    const offered = [...new Set(every)];
    if (name !== "size") offered.sort(names.compare);
    else offered.sort((a, b) => core.sizes.indexOf(a) - core.sizes.indexOf(b));
    if (!offered.includes(state[name])) state[name] = "";
    fill(name, [["", "all"], ...offered.map((value) => [value, value])], state[name]);
    at(name).disabled = offered.length < 2;
  }
  at("search").value = state.search;
}

function fillView() {
  const { section, splits, profiles, views } = offered();
  fill("section", core.sections.map((one, number) => [String(number), `${one.suite}, ${one.trained}`]), state.section);
  fill("split", splits.map((name) => [name, name]), state.split);
  fill("profile", profiles.map((name) => [name, name]), state.profile);
  fill("protocol", views.map((view) => [view.protocol, section.protocols[view.protocol]]), state.protocol);
  at("split").parentElement.hidden = splits.length < 2;
  say("section-text", `${section.title}, ${section.trained}`);
  say("profile-text", `${section.metrics[state.profile]} in percent, profile ${section.profiles[state.profile]}${commonEncoder() ? `; encoder ${commonEncoder()}` : ""}. ${section.splits[state.split]}`);
}
