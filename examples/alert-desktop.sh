#!/bin/sh
# Shows an alert on the desktop:
#   sentinel-keep --alert-cmd /path/to/alert-desktop.sh healthcheck
set -eu
# From cron there is a bus, and nobody who says where.
: "${DBUS_SESSION_BUS_ADDRESS:=unix:path=/run/user/$(id -u)/bus}"
export DBUS_SESSION_BUS_ADDRESS
alert=$(cat)

# A text of the alert, which is one line of JSON: its escapes undone, in one line.
text() {
    mark=$(printf '\001')
    printf '%s\n' "$alert" | sed -nE 's/^.*[{,]"'"$1"'":"(([^"\\]|\\.)*)".*$/\1/p' |
        sed -E "s/\\\\\\\\/$mark/g; s/\\\\u[0-9a-fA-F]{4}/?/g; s/\\\\[nrtbf]/ /g; s/\\\\(.)/\\1/g
            s/$mark/\\\\/g"
}

# The text is shown as markup.
body=$(printf '%s; %s' "$(text message)" "$(text action)" |
    sed 's/&/\&amp;/g; s/</\&lt;/g; s/>/\&gt;/g')
notify-send --urgency=critical --app-name=sentinel -- "$(text name): $(text cause)" "$body"
