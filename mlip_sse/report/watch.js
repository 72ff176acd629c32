// Only in the page that mlip-sse report --watch serves: loads it again when a round or the answer has changed.
(function () {
  "use strict";
  var state = document.documentElement.dataset.state;
  var said = document.getElementById("live");
  function look() {
    fetch("state", { cache: "no-store" })
      .then(function (reply) { return reply.text(); })
      .then(function (found) {
        if (found !== state) { location.reload(); return; }
        said.textContent = "live: looked at " + new Date().toLocaleTimeString();
        setTimeout(look, 2000);
      })
      .catch(function () { said.textContent = "live: the program that served this page has ended"; setTimeout(look, 5000); });
  }
  look();
}());
