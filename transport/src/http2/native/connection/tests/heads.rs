//! RFC 9113 §4.3, §8: heads and trailers.

use super::script::{client, server};

#[test]
fn what_cannot_be_decoded_ends_the_connection() {
    server("> HEADERS 1 undecodable\n< GOAWAY 0 COMPRESSION_ERROR");
    server(
        "> HEADERS 1 request
         ! Accept 1
         = reset 1 CANCEL
         < RST 1 CANCEL
         ! Closed 1
         > HEADERS 1 undecodable
         < GOAWAY 1 COMPRESSION_ERROR",
    );
}

#[test]
fn malformed_heads_end_their_stream() {
    let mut script = server("");
    let rows = [
        "request X-Upper=1",
        "request connection=close",
        "request :late=1",
        "request te=gzip",
        ":method=POST :scheme=http",
        "trailers",
    ];
    for (number, fields) in rows.into_iter().enumerate() {
        let stream = 1 + 2 * number;
        script = script.run(&format!(
            "> HEADERS {stream} {fields} end\n< RST {stream} PROTOCOL_ERROR"
        ));
    }
    script.run("> HEADERS 99 request\n! Accept 99");
    client(
        "= start end
         < HEADERS 1 request
         < DATA 1 0 end
         > HEADERS 1 :status=20
         < RST 1 PROTOCOL_ERROR
         ! Touched 1 Fault PROTOCOL_ERROR
         ! Closed 1",
    );
}

#[test]
fn trailers_end_a_stream_and_have_no_pseudo_header() {
    for trailers in ["x=1", ":path=/ end", "Upper=1 end"] {
        server(&format!(
            "> HEADERS 1 request
             ! Accept 1
             > HEADERS 1 {trailers}
             < RST 1 PROTOCOL_ERROR
             ! Touched 1 Fault PROTOCOL_ERROR
             ! Closed 1"
        ));
    }
    server(
        "> HEADERS 1 request
         ! Accept 1
         > DATA 1 5
         ! Touched 1 data=5
         > HEADERS 1 x=1 end
         ! Touched 1 Clean",
    );
}

#[test]
fn a_list_over_the_limit_ends_its_stream_alone() {
    server(
        "> HEADERS 1 request large end
         < HEADERS 1 431 end
         > HEADERS 3 request large
         < HEADERS 3 431 end
         < RST 3 NO_ERROR
         > DATA 3 100
         > HEADERS 5 request
         ! Accept 5",
    );
    client(
        "= start end
         < HEADERS 1 request
         < DATA 1 0 end
         > HEADERS 1 response large
         < RST 1 ENHANCE_YOUR_CALM
         ! Touched 1 Fault ENHANCE_YOUR_CALM
         ! Closed 1
         > HEADERS 1 trailers end",
    );
}

#[test]
fn interim_responses_are_skipped_up_to_a_few() {
    let few = "> HEADERS 1 :status=103\n".repeat(100);
    let begin = "= start end\n< HEADERS 1 request\n< DATA 1 0 end\n";
    client(&format!(
        "{begin}{few}> HEADERS 1 response
         ! Touched 1 head"
    ));
    client(&format!(
        "{begin}{few}> HEADERS 1 :status=103
         < RST 1 CANCEL
         ! Touched 1 Fault CANCEL too many interim
         ! Closed 1"
    ));
    for wrong in [":status=103 end", ":status=101"] {
        client(&format!(
            "{begin}> HEADERS 1 {wrong}
             < RST 1 PROTOCOL_ERROR
             ! Touched 1 Fault PROTOCOL_ERROR
             ! Closed 1"
        ));
    }
}

#[test]
fn data_before_a_head_is_no_answer() {
    client(
        "= start end
         < HEADERS 1 request
         < DATA 1 0 end
         > DATA 1 5
         < RST 1 PROTOCOL_ERROR
         ! Touched 1 Fault PROTOCOL_ERROR
         ! Closed 1",
    );
}
