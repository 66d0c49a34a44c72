"""An HTTPS endpoint for http2_test.cpp that answers chat completions over HTTP/2 or 1.1, with faults on purpose.

    h2_stub.py CERTIFICATE PORT_FILE [--offer h2,http/1.1] [--streams N] [--delay S] [--reset N] [--refuse N] [--goaway N]

Each answer says to what, over what, on which connection, and how often the question has been taken in. A question "... wait S" is
answered after so many seconds. Ends when its standard input does. Needs h2 (Debian: python3-h2).
"""

import argparse
import asyncio
import collections
import json
import pathlib
import ssl
import sys

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.settings
import hyperframe.frame


class Endpoint:
    def __init__(self, options):
        self.options = options
        self.taken = collections.Counter()  # by question
        self.connections = 0

    async def serve(self, reader, writer):
        self.connections += 1
        try:
            if writer.get_extra_info("ssl_object").selected_alpn_protocol() == "h2":
                await Http2(self, self.connections, reader, writer).serve()
            else:
                await self.serve_http1(self.connections, reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError, ssl.SSLError):
            pass  # the client went
        finally:
            writer.close()

    async def serve_http1(self, connection, reader, writer):
        while True:
            head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
            length = int(head.split("content-length:")[1].split("\r\n")[0])
            question, seconds = self.take(await reader.readexactly(length))
            await asyncio.sleep(seconds)
            body = self.answer(question, "http/1.1", connection)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)

    def take(self, body):
        """The question, and the seconds after which it is answered."""
        question = json.loads(body)["messages"][-1]["content"]
        self.taken[question] += 1
        return question, float(question.split("wait ")[1]) if "wait " in question else self.options.delay

    def answer(self, question, protocol, connection):
        text = f"to {question}|{protocol}|{connection}|{self.taken[question]}"
        return json.dumps({"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
                           "usage": {"prompt_tokens": 7, "completion_tokens": 3}}).encode()


class Http2:
    """One connection."""

    def __init__(self, endpoint, number, reader, writer):
        self.endpoint, self.number, self.reader, self.writer = endpoint, number, reader, writer
        self.state = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False, header_encoding="utf-8"))
        self.state.local_settings = h2.settings.Settings(client=False, initial_values={
            h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS: endpoint.options.streams})
        self.bodies = {}  # by stream
        self.tasks = {}  # by stream
        self.streams = 0  # taken in so far
        self.last_stream = None  # after a GOAWAY: those above it are not looked at

    async def serve(self):
        self.state.initiate_connection()
        self.flush()
        while data := await self.reader.read(65536):
            for event in self.state.receive_data(data):
                self.see(event)
            self.flush()
        for task in self.tasks.values():
            task.cancel()

    def flush(self):
        if data := self.state.data_to_send():
            self.writer.write(data)

    def see(self, event):
        if isinstance(event, h2.events.RequestReceived):
            self.bodies[event.stream_id] = b""
        elif isinstance(event, h2.events.DataReceived):
            self.bodies[event.stream_id] += event.data
            self.state.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamReset) and event.stream_id in self.tasks:
            self.tasks.pop(event.stream_id).cancel()
        elif isinstance(event, h2.events.StreamEnded):
            self.take(event.stream_id)

    def take(self, stream):
        if self.last_stream is not None and stream > self.last_stream:
            return
        options = self.endpoint.options
        self.streams += 1
        if options.refuse and self.streams % options.refuse == 0:
            self.state.reset_stream(stream, h2.errors.ErrorCodes.REFUSED_STREAM)
            return
        question, seconds = self.endpoint.take(self.bodies.pop(stream))
        self.tasks[stream] = asyncio.create_task(self.answer(stream, question, seconds))
        if self.streams == options.goaway:
            self.last_stream = stream
            self.flush()
            # Not by h2's close_connection(): this connection still answers what it has taken in.
            self.writer.write(hyperframe.frame.GoAwayFrame(stream_id=0, last_stream_id=stream).serialize())

    async def answer(self, stream, question, seconds):
        await asyncio.sleep(seconds)
        body = self.endpoint.answer(question, "h2", self.number)
        self.state.send_headers(stream, [(":status", "200"), ("content-type", "application/json"), ("content-length", str(len(body)))])
        reset = self.endpoint.options.reset
        if reset and self.endpoint.taken[question] == 1 and int(question.split()[0].strip("q")) % reset == 0:
            self.state.send_data(stream, body[:len(body) // 2])
            self.state.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
        else:
            self.state.send_data(stream, body, end_stream=True)
        self.flush()
        self.tasks.pop(stream)
        if self.last_stream is not None and not self.tasks:
            self.writer.close()


async def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("certificate")
    parser.add_argument("port_file", type=pathlib.Path)
    parser.add_argument("--offer", default="h2,http/1.1")
    parser.add_argument("--streams", type=int, default=100)
    parser.add_argument("--delay", type=float, default=0.02, help="seconds")
    parser.add_argument("--reset", type=int, default=0, help="cuts the first answer to every so many questions")
    parser.add_argument("--refuse", type=int, default=0, help="refuses every so many streams of a connection")
    parser.add_argument("--goaway", type=int, default=0, help="each connection takes in so many streams")
    options = parser.parse_args()
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(options.certificate)
    tls.set_alpn_protocols(options.offer.split(","))
    server = await asyncio.start_server(Endpoint(options).serve, "127.0.0.1", 0, ssl=tls, backlog=256)
    part = options.port_file.with_suffix(".part")
    part.write_text(str(server.sockets[0].getsockname()[1]))
    part.rename(options.port_file)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


asyncio.run(main())
