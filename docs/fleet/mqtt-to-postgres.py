#!/usr/bin/python3
"""Takes rows from an MQTT broker into PostgreSQL. Debian: apt-get install python3-paho-mqtt python3-psycopg2

usage: mqtt-to-postgres.py HOST PORT "dbname=fleet"      (more settings: PGHOST, PGUSER, ... and MQTT_USER, MQTT_PASSWORD)

A message is acknowledged to the broker after its row is committed, and the session is kept for a week: whatever ends this
program, nothing is lost, and a row that comes twice is kept once.
"""
import json, os, sys

import paho.mqtt.client as mqtt
import psycopg2
from paho.mqtt.properties import PacketTypes, Properties

host, port, database = sys.argv[1], int(sys.argv[2]), psycopg2.connect(sys.argv[3])
database.autocommit = True


def on_connect(client, _userdata, _flags, reason, _properties):
    if reason != 0:
        sys.exit(f"the broker refuses: {reason}")
    client.subscribe("checkpoint/#", qos=1)


def on_message(_client, _userdata, message):
    _, post, what = message.topic.split("/")
    text = message.payload.decode()
    with database.cursor() as cursor:
        if what in ("scan", "event"):
            line = json.loads(text)
            body = text[text.index('"row":') + 6 : -1]
            cursor.execute(
                "INSERT INTO checkpoint_rows (post, seq, hash, body) VALUES (%s, %s, decode(%s, 'hex'), %s)"
                " ON CONFLICT (id) DO NOTHING",
                (post, line["seq"], line["hash"], body),
            )
        elif what == "anchor":
            cursor.execute("INSERT INTO checkpoint_anchors (post, note) VALUES (%s, %s) ON CONFLICT DO NOTHING", (post, text))
        elif what == "state":
            state = json.loads(text)
            cursor.execute(
                "INSERT INTO checkpoint_posts (post, state, version) VALUES (%s, %s, %s) ON CONFLICT (post)"
                " DO UPDATE SET state = excluded.state, version = excluded.version, since = now()",
                (post, state["state"], state.get("version")),
            )


client = mqtt.Client("checkpoint-centre", protocol=mqtt.MQTTv5)
client.on_connect, client.on_message = on_connect, on_message
if "MQTT_USER" in os.environ:
    client.username_pw_set(os.environ["MQTT_USER"], os.environ.get("MQTT_PASSWORD"))
keep = Properties(PacketTypes.CONNECT)
keep.SessionExpiryInterval = 7 * 86400
client.connect(host, port, clean_start=False, properties=keep)
client.loop_forever()
