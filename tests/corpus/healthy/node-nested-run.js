// corpus: healthy
// what: Node waits for a job below, which has a wrapper of its own
// outside: node {file} outside

const fs = require("fs");
const { spawn } = require("child_process");

if (process.argv[2] === "outside") {
    // A job below is none of the outer one's: the companion ends it.
    process.on("SIGTERM", () => {
        process.kill(Number(fs.readFileSync("inner/inner.pid", "utf8")));
        process.exit();
    });
    fs.writeFileSync("ready", "");
    setInterval(() => {}, 3600_000);
} else {
    const script = 'touch "$CORPUS_DIR/up"; sleep 3600';
    const options = ["--dir", "inner", "--quiet", "inner", "--", "sh", "-c", script];
    spawn(process.env.SENTINEL_RUN, options, { stdio: "ignore" });
}
