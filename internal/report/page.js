
"use strict";
// The filters work without this script. It adds the search.
const search = document.getElementById("search"), found = document.getElementById("found");
const sections = [...document.querySelectorAll("section")].map(element => ({
  element, filter: document.getElementById("show-" + element.id), people: [...element.querySelectorAll("li")],
}));
const all = document.getElementById("show-all");
let texts; // what each person's row says, read when it is first searched

function update() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  if (words.length > 0 && !texts) {
    texts = new Map(sections.flatMap(s => s.people).map(person => [person, person.textContent.toLowerCase()]));
  }
  let shown = 0, total = 0;
  for (const { element, filter, people } of sections) {
    let matches = 0;
    for (const person of people) {
      const match = words.every(word => texts.get(person).includes(word));
      person.hidden = !match;
      matches += match;
    }
    element.hidden = matches === 0;
    if (all.checked || filter.checked) {
      shown += matches;
      total += people.length;
    }
  }
  found.textContent = words.length === 0 ? "" : shown === 0 ? "Nobody matches." : `${shown} of ${total} match.`;
}

search.addEventListener("input", update);
document.querySelector("fieldset").addEventListener("change", update);
search.closest("label").hidden = false;
if (search.value) update(); // a reload keeps it
