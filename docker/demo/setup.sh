#!/bin/bash
# Publishes the demo site and makes the key of the edge in front of it. Run again, it changes nothing.
set -euo pipefail

brim site init --bucket "$SITE" --endpoint-url "$SERVER" >/dev/null
brim site deploy /site --bucket "$SITE" --endpoint-url "$SERVER" --message "docker compose"

key=/edge-key/key.env
if [ ! -s "$key" ]; then
    umask 077
    brim key create --data /data --edge "$SITE" --description "the edge of docker compose" |
        sed -n -e 's/^aws_access_key_id = /EDGE_ACCESS_KEY_ID=/p' -e 's/^aws_secret_access_key = /EDGE_SECRET_ACCESS_KEY=/p' >"$key.new"
    chown 10002:10002 "$key.new"
    mv "$key.new" "$key"
fi
echo "The demo site is published and the edge has its key"
