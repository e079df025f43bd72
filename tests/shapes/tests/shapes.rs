//! What is generated is what was written in the .proto files: values, bytes, names and calls.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::collections::BTreeMap;

use trunkline::codegen::prost::{bytes::Bytes, Message, Name};
use trunkline::codegen::prost_types::{Any, FileDescriptorSet};
use trunkline::server::{Receiver, RequestContext, Sender};
use trunkline::transport::memory;
use trunkline::{Channel, Response, Server, Status};
use trunkline_shared_protos::pb as common;
use trunkline_test_shapes::{choices, pb, well_known};

use pb::a::b::one::{crossing, first, Crossing, CrossingClient, CrossingServer, First, Last};
use pb::a::b::{two::Middle, Both};
use pb::deep::a::b::c::d::{leaf, Leaf};

fn there_and_back<M: Message + Default + PartialEq + std::fmt::Debug>(message: &M) {
    let bytes = message.encode_to_vec();
    assert_eq!(&M::decode(bytes.as_slice()).unwrap(), message);
}

fn good() -> First {
    First {
        kind: first::Kind::Good.into(),
    }
}

#[test]
fn packages_that_import_each_other_crosswise_share_their_types() {
    let status = pb::google::rpc::Status {
        code: 3,
        first: Some(good()),
        ..Default::default()
    };
    let innermost = leaf::inner::Innermost {
        leaf: Some(Box::new(Leaf::default())),
        first: Some(good()),
    };
    let last = Last {
        middle: Some(Middle {
            first: Some(good()),
            kinds: [("x".to_owned(), first::Kind::Good.into())].into(),
            status: Some(status.clone()),
        }),
        both: Some(Both {
            first: Some(good()),
            status: Some(status),
        }),
        leaf: Some(Leaf {
            inner: Some(Box::new(leaf::Inner {
                innermost: Some(Box::new(innermost)),
            })),
            leaves: vec![Leaf::default()],
        }),
    };
    there_and_back(&last);
}

struct Crosser;

impl Crossing for Crosser {
    async fn cross(
        &self,
        _cx: &RequestContext,
        request: Middle,
        mut responses: Sender<Both>,
    ) -> Result<(), Status> {
        let both = Both {
            first: request.first,
            status: request.status,
        };
        responses.send(&both).await?;
        Ok(())
    }

    async fn back(
        &self,
        _cx: &RequestContext,
        mut requests: Receiver<Leaf>,
    ) -> Result<Response<Last>, Status> {
        let leaf = requests.recv().await?;
        Ok(Last {
            leaf,
            ..Last::default()
        }
        .into())
    }
}

#[tokio::test(start_paused = true)]
async fn a_service_whose_messages_are_in_four_packages_is_called() {
    let (connector, listener) = memory::pair("crossing");
    let server = Server::insecure()
        .add_service(CrossingServer::new(Crosser))
        .listen(listener)
        .unwrap();
    tokio::spawn(server.serve());
    let channel = Channel::builder("memory:crossing")
        .insecure()
        .connector(connector)
        .build()
        .unwrap();
    let client = CrossingClient::new(channel);

    let request = Middle {
        first: Some(good()),
        ..Middle::default()
    };
    let mut answers = client.cross(request).await.unwrap();
    assert_eq!(answers.recv().await.unwrap().unwrap().first, Some(good()));
    assert_eq!(answers.recv().await.unwrap(), None);

    let leaves = [Leaf {
        leaves: vec![Leaf::default()],
        ..Leaf::default()
    }];
    let last = client.back().upload(leaves.clone()).await.unwrap();
    assert_eq!(last.leaf.as_ref(), leaves.first());
    assert_eq!(crossing::SERVICE.name, "a.b.one.Crossing");
}

#[test]
fn types_of_another_crate_are_that_crates_types() {
    let order = pb::shop::Order {
        total: Some(common::common::Money {
            units: 5,
            currency: common::common::money::Currency::Eur.into(),
            unit: None,
        }),
        scales: vec![common::common::r#type::unit::Scale { power: -2 }],
        nameless: Some(common::Nameless {
            word: "w".to_owned(),
        }),
        ..Default::default()
    };
    assert_eq!(
        order.currency(),
        common::common::money::Currency::Unspecified
    );
    there_and_back(&order);
    // A service of shared files belongs to the crate that has them.
    assert_eq!(common::common::bank::SERVICE.name, "common.Bank");
}

#[test]
fn repeated_numbers_of_proto3_are_packed_whatever_other_options_they_have() {
    let order = pb::shop::Order {
        marks: vec![1, 2],
        ..Default::default()
    };
    assert_eq!(order.encode_to_vec(), b"\x82\x01\x02\x01\x02");
}

#[test]
fn files_of_proto2_keep_defaults_groups_and_what_is_required() {
    use pb::legacy::{old, Level, Old};
    let old = Old {
        name: "n".to_owned(),
        must: Level::Low.into(),
        pair: Some(old::Pair {
            left: Some(1),
            right: None,
        }),
        many: vec![old::Many {
            item: Some("i".to_owned()),
        }],
        loose: vec![1, 2],
        packed: vec![1, 2],
        ..Old::default()
    };
    assert_eq!(old.count(), 7);
    assert_eq!(old.level(), Level::High);
    assert_eq!(old.blob(), b"\x01\"x");
    assert_eq!(old.text(), "a \"b\" \\ c");
    assert!(old.huge().is_infinite() && old.huge().is_sign_negative());
    assert!((old.ratio() + 1.5).abs() < f64::EPSILON);
    let bytes = old.encode_to_vec();
    assert_eq!(
        bytes,
        [
            &b"\x0a\x01n"[..],
            b"\x38\x01\x38\x02",
            b"\x42\x02\x01\x02",
            b"\x4b\x08\x01\x4c",
            b"\x53\x0a\x01i\x54",
            b"\x58\x01",
        ]
        .concat()
    );
    there_and_back(&old);
}

#[test]
fn files_of_editions_mean_what_their_features_say() {
    use pb::modern::{implicit, implicit::Plain, present, Mode, Part, Present};
    let part = Part { set: Some(true) };
    let present = Present {
        explicit: Some(0),
        implicit: 0,
        required: "r".to_owned(),
        group: Some(part),
        packed: vec![1, 2],
        expanded: vec![1, 2],
        choice: Some(present::Choice::Number(0)),
        mode: Some(Mode::Some.into()),
        ..Present::default()
    };
    assert_eq!(present.with_default(), 7);
    let bytes = present.encode_to_vec();
    assert_eq!(
        bytes,
        [
            &b"\x08\x00\x1a\x01r"[..],
            b"\x33\x08\x01\x34",
            b"\x3a\x02\x01\x02",
            b"\x40\x01\x40\x02",
            b"\x50\x00",
            b"\x60\x01",
        ]
        .concat()
    );
    there_and_back(&present);

    let inherits = pb::modern::Inherits::default();
    assert_eq!(inherits.level(), pb::modern::Level::High);
    assert_eq!(inherits.seal(), b"\x01\xff");
    assert!((inherits.half() + 0.5).abs() < f64::EPSILON);
    assert!(inherits.lowest().is_infinite() && inherits.lowest().is_sign_negative());
    assert!(inherits.none().is_nan());

    // A whole file of other features; maps know no groups.
    let plain = Plain {
        number: 0,
        numbers: vec![3, 4],
        part: Some(part),
        parts: [(1, part)].into(),
        explicit: Some(0),
    };
    assert_eq!(
        plain.encode_to_vec(),
        [
            &b"\x10\x03\x10\x04"[..],
            b"\x1b\x08\x01\x1c",
            b"\x22\x06\x08\x01\x12\x02\x08\x01",
            b"\x28\x00",
        ]
        .concat()
    );
    there_and_back(&plain);

    // A group like any other, though a map of its message has entries of this name.
    let near = implicit::Near {
        foo: [(1, 2)].into(),
        entries: vec![implicit::far::FooEntry { number: 3 }],
    };
    assert_eq!(
        near.encode_to_vec(),
        b"\x0a\x04\x08\x01\x10\x02\x13\x08\x03\x14"
    );
    there_and_back(&near);
}

#[test]
fn the_descriptors_of_an_edition_say_so() {
    #[derive(Clone, PartialEq, Message)]
    #[prost(prost_path = "trunkline::codegen::prost")]
    struct Set {
        #[prost(message, repeated, tag = "1")]
        files: Vec<File>,
    }
    #[derive(Clone, PartialEq, Message)]
    #[prost(prost_path = "trunkline::codegen::prost")]
    struct File {
        #[prost(string, tag = "1")]
        name: String,
        #[prost(string, tag = "12")]
        syntax: String,
        #[prost(int32, tag = "14")]
        edition: i32,
    }
    let set = Set::decode(pb::FILE_DESCRIPTOR_SET).unwrap();
    let found = |name: &str| set.files.iter().find(|file| file.name == name).unwrap();
    let modern = found("modern/modern.proto");
    assert_eq!((modern.syntax.as_str(), modern.edition), ("editions", 1000));
    assert_eq!(found("modern/implicit.proto").edition, 1001);
    let old = found("shop/shop.proto");
    assert_eq!((old.syntax.as_str(), old.edition), ("proto3", 0));
}

#[test]
fn words_that_rust_keeps_are_names_all_the_same() {
    use pb::keywords::r#type::crate_::super_::self_::r#match::extern_ as words;
    let inner = words::self_::Type::default();
    let message = words::Self_ {
        self_: "a".to_owned(),
        super_: "b".to_owned(),
        crate_: "c".to_owned(),
        r#type: 1,
        r#async: true,
        extern_: Some(Box::new(inner.clone())),
        r#loop: [("k".to_owned(), words::Self_::default())].into(),
        r#yield: words::Yield::Break.into(),
        r#match: Some(words::self_::Match::Else(Box::new(inner))),
    };
    there_and_back(&message);
    assert_eq!(words::r#mod::Fn::Self_.as_str_name(), "SELF");
    assert_eq!(
        words::Self_::full_name(),
        "keywords.type.crate.super.self.match.extern.Self"
    );
    let paths: Vec<_> = words::crate_::SERVICE
        .methods
        .iter()
        .map(|m| m.name)
        .collect();
    assert_eq!(
        paths,
        ["Self", "Super", "Crate", "Async", "Extern", "New", "Gen"]
    );
}

#[test]
fn names_that_rust_and_trunkline_use_are_free_for_messages() {
    use pb::core::std::trunkline as taken;
    let message = taken::Option {
        some: Some(taken::Result { ok: "x".to_owned() }),
    };
    there_and_back(&message);
    // The message was there first, so the trait of the service `method` is not `Method`.
    assert_eq!(taken::method_::SERVICE.name, "core.std.trunkline.method");
    let message = taken::Method {};
    there_and_back(&message);
    assert_eq!(taken::t::SERVICE.name, "core.std.trunkline.T");
    assert_eq!(taken::_1st_::SERVICE.name, "core.std.trunkline._1st");
}

#[test]
fn messages_travel_in_any_by_their_names() {
    let card = pb::shop::Card {
        number: "7".to_owned(),
    };
    let any = Any::from_msg(&card).unwrap();
    assert_eq!(any.type_url, "type.googleapis.com/shop.Card");
    assert_eq!(any.to_msg::<pb::shop::Card>().unwrap(), card);
    assert_eq!(
        leaf::inner::Innermost::full_name(),
        "deep.a.b.c.d.Leaf.Inner.Innermost"
    );
    let status = Status::not_found("no card").with_detail(card.clone());
    assert_eq!(status.detail::<pb::shop::Card>(), Some(card));
}

#[test]
fn the_descriptor_set_has_every_file_and_what_it_imports() {
    let set = FileDescriptorSet::decode(pb::FILE_DESCRIPTOR_SET).unwrap();
    let names: Vec<_> = set.file.iter().map(|file| file.name()).collect();
    for name in [
        "a/b/one/last.proto",
        "google/rpc/status.proto",
        "common/money.proto",
        "google/protobuf/any.proto",
        "shop/shop.proto",
    ] {
        assert!(names.contains(&name), "{name} of {names:?}");
    }
    let at = |name: &str| names.iter().position(|known| *known == name);
    assert!(
        at("common/money.proto") < at("shop/shop.proto"),
        "{names:?}"
    );
    assert!(set.file.iter().all(|file| file.source_code_info.is_none()));
}

#[test]
fn options_change_the_types_of_fields() {
    use choices::shop::{order, Card, Order, State, Tree};
    let card = Card {
        number: "1".to_owned(),
    };
    let files: BTreeMap<String, Bytes> = [("b", "2"), ("a", "1")]
        .map(|(k, v)| (k.to_owned(), v.into()))
        .into();
    let mut order = Order {
        files,
        payment: Some(order::Payment::Card(Box::new(card.clone()))),
        delay: Some(trunkline_test_shapes::Delay::default()),
        state: State::StateOpen.into(),
        ..Order::default()
    };
    there_and_back(&order);
    assert!(
        card < Card {
            number: "2".to_owned()
        },
        "PartialOrd is derived"
    );
    let shown = format!("{order:?}");
    assert!(shown.starts_with("Order { total: None, "), "{shown}");
    assert!(
        shown.contains("files: {\"a\": b\"1\", \"b\": b\"2\"}"),
        "{shown}"
    );
    assert!(
        shown.contains("payment: Some(Card(Card { number: \"1\" }))"),
        "{shown}"
    );
    order.payment = Some(order::Payment::Token(Bytes::from_static(b"t")));
    there_and_back(&order);
    let tree = Tree {
        named: [("n".to_owned(), Tree::default())].into(),
        leaf: Some(choices::shop::tree::Leaf::Value(3)),
        ..Tree::default()
    };
    there_and_back(&tree);
    assert!(format!("{tree:?}").contains("leaf: Some(Value(3))"));
}

#[test]
fn many_packages_that_import_their_neighbours_are_one_tree_of_modules() {
    use trunkline_test_shapes::many::org::{p0, p1, p3, p7};
    let message = p0::M1 {
        other10: Some(p7::M0::default()),
        other11: Some(p0::M0::default()),
        other12: Some(p1::M0::default()),
        ..p0::M1::default()
    };
    there_and_back(&message);
    // A package inside another one, beside a third.
    let inside = p1::inside::M2 {
        other10: Some(p1::M1::default()),
        other12: Some(p3::M1::default()),
        ..p1::inside::M2::default()
    };
    there_and_back(&inside);
    assert_eq!(p1::inside::service::SERVICE.name, "org.p1.inside.Service");
}

#[test]
fn well_known_types_can_be_types_of_ones_own() {
    let order = well_known::shop::Order {
        delay: Some(well_known::google::protobuf::Duration {
            seconds: 1,
            nanos: 2,
        }),
        more: Some(well_known::google::protobuf::Struct::default()),
        ..Default::default()
    };
    there_and_back(&order);
}
