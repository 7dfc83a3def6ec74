// corpus: healthy
// what: a program runs a quiet child to its end
// run: node {file}
// needs: node

require("fs").writeFileSync("up", "");
require("child_process").execSync("sleep 1000");
