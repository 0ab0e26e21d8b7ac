// A table: real rows and headers, a button in each sortable header, arrow keys from cell to cell.
class Grid {
  constructor(id, caption, onSort) {
    Object.assign(this, { table: at(id), caption, onSort });
    this.table.addEventListener("keydown", (event) => this.move(event));
    this.table.addEventListener("focusin", (event) => this.hold(event.target));
  }

  // columns: {key, title, over, cell(row)}; the first is the row's header. `rows` are all, `from` to `to` are drawn.
  draw(columns, rows, from, to, sort) {
    const focused = this.table.contains(document.activeElement) && document.activeElement.dataset.key;
    const head = this.head(columns, sort);
    const body = make("tbody", {}, ...rows.slice(from, to).map((row, number) =>
      this.row(columns, row, from + number + head.rows.length + 1)));
    this.table.setAttribute("aria-rowcount", rows.length + head.rows.length);
    const widths = make("colgroup", {}, ...columns.map((column) => make("col", { class: column.width || null })));
    this.table.replaceChildren(make("caption", {}, this.caption()), widths, head, body);
    this.held = body.querySelector("button");
    if (this.held) this.held.tabIndex = 0;
    if (focused) this.table.querySelector(`thead [data-key="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
  }

  head(columns, sort) {
    const grouped = columns.some((column) => column.over);
    const lowest = columns.some((column) => column.floor !== undefined);
    const titles = make("tr", { "aria-rowindex": grouped ? 2 : 1 });
    const rows = grouped ? [this.over(columns), titles] : [titles];
    titles.append(...columns.map((column, number) => this.title(column, number, sort)));
    if (lowest) rows.push(this.floor(columns, rows.length + 1));
    return make("thead", {}, ...rows);
  }

  over(columns) {
    const row = make("tr", { "aria-rowindex": 1 });
    let last = null;
    columns.forEach((column, number) => {
      if (last && last.over === column.over) last.cell.colSpan += 1;
      else {
        const cell = number && column.over
          ? make("th", { scope: "colgroup", class: "over" }, column.over) : make("td", { class: number ? "over" : "name" });
        last = { over: column.over, cell };
        row.append(cell);
      }
    });
    return row;
  }

  title(column, number, sort) {
    const own = sort && sort.key === column.key;
    const direction = own ? (sort.down ? "descending" : "ascending") : null;
    const kind = number ? (column.place ? "place" : column.text ? "left" : "") : "name";
    const sign = own ? (sort.down ? " ▼" : " ▲") : "";
    const inside = column.key && this.onSort
      ? make("button", { type: "button", "data-key": column.key, title: column.about || null }, column.title, make("span", { "aria-hidden": "true" }, sign))
      : make("span", { class: "title" }, column.title);
    if (column.key && this.onSort) inside.addEventListener("click", () => this.onSort(column.key));
    return make("th", { scope: "col", class: kind || null, "aria-sort": direction }, inside);
  }

  floor(columns, index) {
    return make("tr", { "aria-rowindex": index }, ...columns.map((column, number) => (number
      ? make("td", { class: "floor" }, column.floor ?? "")
      : make("th", { scope: "row", class: "name floor" }, column.floor ?? ""))));
  }

  row(columns, row, index) {
    const [name, ...others] = columns;
    return make("tr", { "aria-rowindex": index }, make("th", { scope: "row" }, ...[name.cell(row)].flat()),
      ...others.map((column) => column.cell(row)));
  }

  hold(button) {
    if (!button.closest("tbody")) return;
    if (this.held) this.held.tabIndex = -1;
    this.held = button;
    button.tabIndex = 0;
  }

  move(event) {
    const cell = event.target.closest("tbody th, tbody td");
    const step = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[event.key];
    if (!cell || !(step || ["Home", "End"].includes(event.key))) return;
    const row = cell.parentElement;
    const [down, right] = step || [0, event.key === "Home" ? 1 : -1];
    const from = { Home: 0, End: row.cells.length - 1 }[event.key] ?? cell.cellIndex + right;
    event.preventDefault();
    this.near(row.parentElement.rows, row.sectionRowIndex + down, from, down, right);
  }

  // The next cell that way that has a button.
  near(rows, row, column, down, right) {
    for (let cell = rows[row]?.cells[column]; cell; cell = rows[row]?.cells[column]) {
      const button = cell.querySelector("button");
      if (button) return void button.focus();
      row += down;
      column += right;
    }
  }
}

const cellButton = (onClick, attributes, ...children) => {
  const button = make("button", { type: "button", tabindex: "-1", ...attributes }, ...children);
  button.addEventListener("click", onClick);
  return button;
};
