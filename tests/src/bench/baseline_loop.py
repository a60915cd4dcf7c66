"""Serves seed_monitor as a Lambda function: import, then ask the Runtime API for work, again and again.

It does the least that a runtime has to do, so what is measured is the module's own start, which is where the
time goes. AWS's own Python runtime does more.
"""
import http.client
import json
import os

import seed_monitor

connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
while True:
    connection.request("GET", "/2018-06-01/runtime/invocation/next")
    asked = connection.getresponse()
    request_id = asked.headers["Lambda-Runtime-Aws-Request-Id"]
    answer = seed_monitor.handler(json.load(asked))
    path = f"/2018-06-01/runtime/invocation/{request_id}/response"
    connection.request("POST", path, body=json.dumps(answer))
    connection.getresponse().read()
