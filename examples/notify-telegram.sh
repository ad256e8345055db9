#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Tell a Telegram chat what nightbook has to say. In ~/.config/nightbook/config.yaml:
#
#     notify: /home/you/nightbook/examples/notify-telegram.sh
#
# nightbook runs it with one line of JSON on stdin:
#
#     {"event":"link_lost","time":"2026-11-24T03:12:05.120+09:00","feed":"main","detail":"…","left_out":0}
#
# Make a bot with @BotFather, write to it once, and keep token and chat in a file of your own (chmod 600):
#
#     TELEGRAM_TOKEN=123456:ABC…
#     TELEGRAM_CHAT=987654321
set -eu
. "${NIGHTBOOK_TELEGRAM:-$HOME/.config/nightbook/telegram}"
# by curl's stdin, since the address holds the token and a command line is seen by all
curl --silent --show-error --max-time 20 --output /dev/null --config - <<END
url = "https://api.telegram.org/bot$TELEGRAM_TOKEN/sendMessage"
data-urlencode = "chat_id=$TELEGRAM_CHAT"
data-urlencode = "text=nightbook: $(head -n 1 | sed 's/[\\"]/\\&/g')"
END
