package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/anypb"
)

// Every code point but those of surrogates, some at a time: their escapes have to fit a header block.
const codePointsACall = 256

// expectError wants the status of err to be of this code.
func expectError(err error, code codes.Code) (*status.Status, error) {
	found := status.Convert(err)
	if found.Code() != code {
		return nil, fmt.Errorf("expected %v, found %v: %v", code, found.Code(), found.Message())
	}
	return found, nil
}

func call(ctx context.Context, channel *grpc.ClientConn, method string, request []byte, options ...grpc.CallOption) ([]byte, error) {
	var reply []byte
	err := channel.Invoke(ctx, service+method, request, &reply, options...)
	return reply, err
}

// Values come back as they were: several of a name in order, bytes of any length and value.
func metadataCase(ctx context.Context, channel *grpc.ClientConn) error {
	all := make([]byte, 256)
	for index := range all {
		all[index] = byte(index)
	}
	sent := metadata.Pairs("x-extra-text", "first", "x-extra-text", "second, with a comma", "x-extra-text", "~!@#$%^&*()_+|}{\":?><")
	for length := range 9 {
		sent.Append(fmt.Sprintf("x-extra-%d-bin", length), string(all[256-length:]))
	}
	sent.Append("x-extra-all-bin", string(all))
	sent.Append("x-extra-two-bin", "\x00", "\xff\xfe")
	var headers, trailers metadata.MD
	ctx = metadata.NewOutgoingContext(ctx, sent)
	if _, err := call(ctx, channel, "Echo", nil, grpc.Header(&headers), grpc.Trailer(&trailers)); err != nil {
		return err
	}
	for key, values := range sent {
		for where, found := range map[string]metadata.MD{"headers": headers, "trailers": trailers} {
			if !slices.Equal(found.Get(key), values) {
				return fmt.Errorf("%s in the %s: expected %q, found %q", key, where, values, found.Get(key))
			}
		}
	}
	return nil
}

// Every character there is comes back in the text of a status.
func statusMessages(ctx context.Context, channel *grpc.ClientConn) error {
	for start := rune(0); start < 0x110000; start += codePointsACall {
		if start >= 0xd800 && start < 0xe000 {
			continue
		}
		var text strings.Builder
		for point := start; point < start+codePointsACall; point++ {
			text.WriteRune(point)
		}
		_, err := call(ctx, channel, "Fail", fail(9, text.String(), 0))
		found, err := expectError(err, codes.FailedPrecondition)
		if err != nil {
			return err
		}
		if found.Message() != text.String() {
			return fmt.Errorf("expected %q, found %q", text.String(), found.Message())
		}
	}
	return nil
}

// Details arrive, and those that are too long take neither the status nor the connection with them.
func statusDetails(ctx context.Context, channel *grpc.ClientConn) error {
	_, err := call(ctx, channel, "Fail", fail(5, "no such thing", 1000))
	found, err := expectError(err, codes.NotFound)
	if err != nil {
		return err
	}
	details := found.Proto().GetDetails()
	wanted := &anypb.Any{TypeUrl: "type.googleapis.com/trunkline.interop.Chunk", Value: chunk(make([]byte, 1000))}
	if len(details) != 1 || details[0].TypeUrl != wanted.TypeUrl || !bytes.Equal(details[0].Value, wanted.Value) {
		return fmt.Errorf("details: %v", details)
	}
	_, err = call(ctx, channel, "Fail", fail(5, "no such thing", 1<<20))
	if found, err = expectError(err, codes.NotFound); err != nil {
		return err
	}
	if !strings.HasPrefix(found.Message(), "no such thing") {
		return fmt.Errorf("text: %q", found.Message())
	}
	return metadataCase(ctx, channel)
}

// An answer to the first of endless requests is seen, whatever it is, and ends the requests.
func earlyAnswer(ctx context.Context, channel *grpc.ClientConn) error {
	for _, code := range []codes.Code{codes.ResourceExhausted, codes.OK} {
		begin := time.Now()
		stream, err := channel.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true}, service+"AnswerEarly")
		if err != nil {
			return err
		}
		request := early(int(code))
		for err == nil && time.Since(begin) < 4*promptly {
			err = stream.SendMsg(request)
		}
		if !errors.Is(err, io.EOF) {
			return fmt.Errorf("sending ended with %v", err)
		}
		var reply []byte
		found, err := expectError(stream.RecvMsg(&reply), code)
		if err != nil {
			return err
		}
		if code != codes.OK && found.Message() != "that is enough" {
			return fmt.Errorf("text: %q", found.Message())
		}
		if took := time.Since(begin); took > promptly {
			return fmt.Errorf("the answer took %v", took)
		}
	}
	return nil
}

// Straight-line code works though the server says nothing, not even headers, before its first answer.
func firstReply(ctx context.Context, channel *grpc.ClientConn) error {
	begin := time.Now()
	stream, err := channel.NewStream(ctx, &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, service+"Converse")
	if err != nil {
		return err
	}
	for number := range 3 {
		sent := chunk([]byte{byte(number)})
		if err := stream.SendMsg(sent); err != nil {
			return err
		}
		var found []byte
		if err := stream.RecvMsg(&found); err != nil {
			return err
		}
		if !bytes.Equal(found, sent) {
			return fmt.Errorf("expected %x, found %x", sent, found)
		}
	}
	if took := time.Since(begin); took > promptly {
		return fmt.Errorf("three answers took %v", took)
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	var found []byte
	if err := stream.RecvMsg(&found); !errors.Is(err, io.EOF) {
		return fmt.Errorf("after half-close: %v", err)
	}
	return nil
}

// The server knows how much time is left, in every unit, and both ends keep to it.
func deadlines(_ context.Context, channel *grpc.ClientConn) error {
	reply, err := call(context.Background(), channel, "Deadline", nil)
	if err != nil {
		return err
	}
	if ms, err := left(reply); err != nil || ms >= 0 {
		return fmt.Errorf("without a deadline: %d ms, %v", ms, err)
	}
	for _, seconds := range []time.Duration{10, 3600, 100_000, 90_000_000} {
		asked := seconds * time.Second
		ctx, cancel := context.WithTimeout(context.Background(), asked)
		reply, err := call(ctx, channel, "Deadline", nil)
		cancel()
		if err != nil {
			return err
		}
		ms, err := left(reply)
		if err != nil {
			return err
		}
		// Long timeouts are sent in coarser units.
		found := time.Duration(ms) * time.Millisecond
		if found > asked+asked/50 || found < asked-asked/50-promptly {
			return fmt.Errorf("of %v the server saw %v", asked, found)
		}
	}
	begin := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	_, err = call(ctx, channel, "Deadline", wait(60_000))
	if _, err := expectError(err, codes.DeadlineExceeded); err != nil {
		return err
	}
	if took := time.Since(begin); took > promptly {
		return fmt.Errorf("200 ms took %v", took)
	}
	return nil
}
