// Draws what the page holds as data; a plot that cannot be drawn says so in its place.
(function () {
  "use strict";
  var figures = JSON.parse(document.getElementById("figures").textContent);
  // Recent versions of plotly offer to send data to a server.
  var config = { responsive: true, displaylogo: false, displayModeBar: window.matchMedia("(hover: hover)").matches ? "hover" : false, showSendToCloud: false, plotlyServerURL: "",
                 modeBarButtonsToRemove: ["select2d", "lasso2d"] };
  function failed(place, error) {
    place.dataset.drawn = "failed";
    place.textContent = "This plot could not be drawn here (" + error.message + "). " + place.getAttribute("aria-label");
  }
  Object.keys(figures).forEach(function (name) {
    var place = document.getElementById(name);
    try {
      place.textContent = "";
      Plotly.newPlot(place, figures[name].data, figures[name].layout, config).then(
        function () { place.dataset.drawn = "yes"; },
        function (error) { failed(place, error); });
    } catch (error) { failed(place, error); }
  });
  window.addEventListener("beforeprint", function () {
    document.querySelectorAll(".plot").forEach(function (place) { if (place.data) { Plotly.Plots.resize(place); } });
  });
}());
