// A run's page keeps up with its run: the server tells what changed, as parts of the page that it has escaped.
"use strict";

const page = document.getElementById("status");
const report = document.getElementById("report");
const told = document.getElementById("told");

// The report is as high as it is, so that the page has one scroll bar; without this script it has its own.
function fit() {
  const inner = report.contentDocument;
  if (!inner || !inner.documentElement) return;
  const measure = () => { report.style.height = `${inner.documentElement.offsetHeight + 8}px`; };
  measure();
  new ResizeObserver(measure).observe(inner.documentElement);
}

function follow(address) {
  const events = new EventSource(address);
  events.addEventListener("status", (event) => {
    const open = [...page.querySelectorAll("details")].map((each) => each.open);
    page.innerHTML = JSON.parse(event.data);
    page.querySelectorAll("details").forEach((each, i) => { if (i in open) each.open = open[i]; });
  });
  events.addEventListener("report", () => {
    if (report) report.contentWindow.location.reload();
    else location.reload();
  });
  events.addEventListener("over", () => {
    events.close();
    told.textContent = page.dataset.ended;
    location.reload();
  });
}

if (report) {
  report.addEventListener("load", fit);
  if (report.contentDocument && report.contentDocument.readyState === "complete") fit();
}
if (page.dataset.events) follow(page.dataset.events);
