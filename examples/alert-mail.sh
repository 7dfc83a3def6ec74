#!/bin/sh
# Mails an alert, by sendmail or mail(1):
#   ALERT_MAIL_TO=me@example.org sentinel-keep --alert-cmd /path/to/alert-mail.sh healthcheck
set -eu
PATH=$PATH:/usr/sbin:/usr/lib # cron looks in neither
alert=$(cat)

# A text of the alert, which is one line of JSON: its escapes undone, in one line.
text() {
    mark=$(printf '\001')
    printf '%s\n' "$alert" | sed -nE 's/^.*[{,]"'"$1"'":"(([^"\\]|\\.)*)".*$/\1/p' |
        sed -E "s/\\\\\\\\/$mark/g; s/\\\\u[0-9a-fA-F]{4}/?/g; s/\\\\[nrtbf]/ /g; s/\\\\(.)/\\1/g
            s/$mark/\\\\/g"
}

to=${ALERT_MAIL_TO:-$(id -un)}
subject="sentinel: $(text name) $(text cause)"
body="$(text message)
$(text action)
at $(text at) on $(uname -n)"

if command -v sendmail >/dev/null; then
    printf 'To: %s\nSubject: %s\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\n\n%s\n' \
        "$to" "$subject" "$body" | sendmail -t -i
else
    printf '%s\n' "$body" | mail -s "$subject" -- "$to"
fi
