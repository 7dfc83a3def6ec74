// corpus: healthy
// what: a program that does a little each minute
// run: node {file}
// needs: node

require("fs").writeFileSync("up", "");
setInterval(() => {}, 60000);
