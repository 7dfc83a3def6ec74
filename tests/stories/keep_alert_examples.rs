//! The examples of alert commands, run as they are under `/bin/sh`.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::scene::{Cmd, Scene, has, skip, until};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name)
}

/// A process died with words that a careless script would stumble over; a healthcheck that alerts.
fn alerting(scene: &Scene, script: &str) -> Cmd {
    let register = scene.keep("register --no-auto-restart bot");
    register.arg("kill -SEGV $$").finish().exits(0);
    scene.kept("start bot").exits(0);
    until("it ended", || scene.status("bot").is_some());
    scene.keep("healthcheck").arg("--alert-cmd").arg(example(script))
}

/// An alert whose text is hard to pass on, put into the queue of a scene.
const HARD: &str = r#"{"schema":1,"id":"1","at":"2026-01-01T00:00:00Z","name":"bot","cause":"exit",
"message":"a \"quoted\",\"message\":\\n <b>ä</b> & $(touch pwned) `id` %s\nend","run_id":null,
"action":"none","suppressed":0}"#;
const READABLE: &str = r#"a "quoted","message":\n <b>ä</b> & $(touch pwned) `id` %s end"#;

fn fed(scene: &Scene, script: &str) -> Cmd {
    fs::write(scene.path("alert"), HARD.replace('\n', "")).unwrap();
    let path = format!("{}:{}", scene.path("bin").display(), std::env::var("PATH").unwrap());
    let sh = scene.sh(r#"exec /bin/sh "$1" <alert"#).arg("sh").arg(example(script));
    sh.env("PATH", path)
}

#[test]
fn a_webhook_is_posted_the_alert() {
    let scene = Scene::new();
    if !has("curl") {
        return skip("a_webhook_is_posted_the_alert", "there is no curl");
    }
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hook", listener.local_addr().unwrap());
    let server = std::thread::spawn(move || {
        let mut requests = Vec::new();
        for answer in ["500 No", "200 OK"] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            while !request.ends_with(b"}\n") {
                let mut chunk = [0; 4096];
                let read = stream.read(&mut chunk).unwrap();
                assert!(read > 0, "{}", String::from_utf8_lossy(&request));
                request.extend_from_slice(&chunk[..read]);
            }
            write!(stream, "HTTP/1.1 {answer}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
                .unwrap();
            requests.push(String::from_utf8(request).unwrap());
        }
        requests
    });
    // The server says no at first: that is a failure, and tried again.
    alerting(&scene, "alert-webhook.sh").env("ALERT_WEBHOOK_URL", &url).finish().exits(0);
    let requests = server.join().unwrap();
    assert_eq!(requests[0], requests[1]);
    let (head, body) = requests[1].split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("POST /hook HTTP/1.1"), "{head}");
    assert!(head.contains("Content-Type: application/json"), "{head}");
    let posted: Value = serde_json::from_str(body).unwrap();
    assert_eq!(scene.alerts(), [posted]);
    fed(&scene, "alert-webhook.sh").finish().exits_one_of(&[1, 2]).says("ALERT_WEBHOOK_URL");
}

#[test]
fn a_mail_is_written_by_sendmail_or_by_mail() {
    let scene = Scene::new();
    // A stand-in: what a mail server would be given.
    scene.script("bin/sendmail", "#!/bin/sh\necho \"$*\" >args; cat >mail\n");
    fed(&scene, "alert-mail.sh").env("ALERT_MAIL_TO", "me@example.org").finish().exits(0);
    let mail = fs::read_to_string(scene.path("mail")).unwrap();
    let (head, body) = mail.split_once("\n\n").unwrap();
    assert!(head.starts_with("To: me@example.org\nSubject: sentinel: bot exit\n"), "{mail}");
    assert!(body.starts_with(&format!("{READABLE}\nnone\nat 2026-01-01T00:00:00Z on ")), "{mail}");
    assert_eq!(fs::read_to_string(scene.path("args")).unwrap(), "-t -i\n");
    assert!(!scene.path("pwned").exists());
    scene.script("bin/sendmail", "#!/bin/sh\nexit 75\n");
    fed(&scene, "alert-mail.sh").finish().exits(75);
}

#[test]
fn a_notification_is_shown() {
    let scene = Scene::new();
    // A stand-in: there is no desktop here.
    let stand_in = "#!/bin/sh\necho $DBUS_SESSION_BUS_ADDRESS >bus\nprintf '%s\\n' \"$@\" >shown\n";
    scene.script("bin/notify-send", stand_in);
    let desktop = fed(&scene, "alert-desktop.sh");
    let desktop = desktop.with(|command| {
        command.env_remove("DBUS_SESSION_BUS_ADDRESS");
    });
    desktop.finish().exits(0);
    let shown = fs::read_to_string(scene.path("shown")).unwrap();
    let text = READABLE.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let expected = ["--urgency=critical", "--app-name=sentinel", "--", "bot: exit"].join("\n");
    assert_eq!(shown, format!("{expected}\n{text}; none\n"));
    let bus = fs::read_to_string(scene.path("bus")).unwrap();
    assert!(bus.starts_with("unix:path=/run/user/"), "{bus}");
    assert!(!scene.path("pwned").exists());
}
