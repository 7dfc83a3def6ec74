// corpus: healthy
// what: a program with a timer
// run: node {file}
// needs: node

require("fs").writeFileSync("up", "");
setTimeout(() => {}, 1000000);
