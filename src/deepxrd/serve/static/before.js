// 3Dmol.js reports each use to its makers unless it is told not to; this page talks to its own server alone.
window.$3Dmol = { notrack: true };
