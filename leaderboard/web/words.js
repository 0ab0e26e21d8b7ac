// What is said beside the tables, of the view in sight.
function words() {
  tell("groups-text", [judgedText(), noMeans()].filter(Boolean).join(" "));
  tell("languages-text", state.cells === "difference" ? differencesText() : "Choose a cell for its spread, counts and command; arrow keys go from cell to cell.");
  const drawn = seen.section.evidence;
  say("evidence-text", drawn ? core.evidence.replace("{draws}", count(drawn.draws)) : "");
  const [shared, size] = seen.data.shared || [];
  say("rank-text", shared ? `${core.ranks} Here: ${shared} of ${size} languages.` : "");
  say("cost-text", core.costs);
}

const oneSeed = () => seen.matched.at(-1) < 2;
const ENOUGH = 3; // seeds; with fewer hardly any difference is supported

function judgedText() {
  if (!seen.pairs.size) return `There are no intervals here: ${seen.data.unjudged}.`;
  if (oneSeed()) return `Nothing here is told apart: ${ONE_SEED}.`;
  const ranks = ranked() ? "Rank: entries that the data does not tell apart share one. " : "";
  const few = seen.matched.at(-1) < ENOUGH ? " With so few seeds next to nothing is told apart: run more." : "";
  if (state.cells === "difference") return `${ranks}After a difference stand its 95 % interval and the number of matched seeds.${few}`;
  return `${ranks}Bold: the best, and what the data does not tell apart from it, where it shows that others are worse.${few}`;
}

function noMeans() {
  const without = seen.places.filter((place) => place.group && !place.column.mean.some((mean) => mean !== null));
  return without.length ? `No entry has a score in all languages of ${listed(without.map((place) => place.name))}, so there is no mean.` : "";
}

const listed = (all) => (all.length < 2 ? all.join("") : `${all.slice(0, -1).join(", ")} or ${all.at(-1)}`);

function differencesText() {
  const [least, most] = [seen.matched[0], seen.matched.at(-1)];
  const over = seen.pairs.size ? `, over ${least === most ? "" : `${least} to `}${matchedSeeds(most)}` : "";
  const support = !seen.pairs.size ? `Hatched: no intervals say which of them are noise, as ${seen.data.unjudged}.`
    : oneSeed() ? `Hatched: ${ONE_SEED}.` : "▲ and ▼, and a colour: the data supports it; hatched: it does not.";
  return `Entry less the baseline (method standard, trained alike), in points${over}. A dot: it has no baseline. ${support}`;
}

function scale() {
  const scores = () => Array.from({ length: 10 }, (_, step) => [`f${step}`, `${10 * step}–${10 * step + 10}`]);
  at("scale").replaceChildren(...(state.cells === "score" ? scores() : differences()).map(([name, text]) => make("li", { class: name || null }, text)));
}

function differences() {
  const side = (letter, sign) => BANDS.map((band, step) => [`${letter}${step + 1}`, `${sign} ${band === 10 ? "10 and more" : `${band}–${BANDS[step + 1]}`}`]);
  const hatched = (why) => ["hatched", `not supported by the data${why}`];
  if (!seen.pairs.size) return [hatched(": no intervals"), ["", "less than 0.5"]];
  if (oneSeed()) return [hatched(": one seed"), ["", "less than 0.5"]];
  return [...side("d", "▼").reverse(), ["", "less than 0.5"], ...side("u", "▲"), hatched("")];
}

// Beside the numbers of the section in sight; what is about papers' rows where there are some.
function notes() {
  document.querySelectorAll(".section-notes").forEach((one) => { one.hidden = !one.id.endsWith(`-${state.section}`); });
  const published = seen.data.lines.some((line, row) => fact(row, "published"));
  document.querySelectorAll(".papers").forEach((one) => { one.hidden = !published; });
}
