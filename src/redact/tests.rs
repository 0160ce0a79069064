use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn redacted(mut value: Value) -> Value {
    object(&mut value);
    value
}

fn recorded(mut value: Value) -> Value {
    record(&mut value);
    value
}

#[rstest]
#[case::token(json!({ "token": "tiger-lily" }), json!({ "token": "***" }))]
#[case::number(json!({ "db": [{ "pin_password": 4711 }] }), json!({ "db": [{ "pin_password": "***" }] }))]
#[case::list(json!({ "secrets": ["tiger", ["lily"]] }), json!({ "secrets": ["***", ["***"]] }))]
#[case::name_of_a_secret(json!({ "secret": "shop/db" }), json!({ "secret": "shop/db" }))]
#[case::about(json!({ "token_count": 5, "secretName": "db" }), json!({ "token_count": 5, "secretName": "db" }))]
fn members_of_a_record_are_what_their_names_say(#[case] given: Value, #[case] expected: Value) {
    assert_eq!(recorded(recorded(given)), expected);
}

#[test]
fn a_list_of_credentials_is_replaced_in_objects_too() {
    let given = json!({ "dbPassword": ["tiger", "${REF}"], "imagePullSecrets": [{ "name": "registry" }] });
    let expected = json!({ "dbPassword": ["***", "${REF}"], "imagePullSecrets": [{ "name": "registry" }] });
    assert_eq!(redacted(given), expected);
}

#[rstest]
#[case::url(
    "connect to postgres://shop:hunter2@db.shop.svc:5432/orders?sslmode=require failed",
    "connect to postgres://shop:***@db.shop.svc:5432/orders?sslmode=require failed"
)]
#[case::url_with_signs("redis://:p@ss/w?rd@cache:6379/0", "redis://:***@ss/w?rd@cache:6379/0")]
#[case::two_urls("amqp://u:a@h1:5672,amqp://u:b@h2:5672", "amqp://u:***@h1:5672,amqp://u:***@h2:5672")]
#[case::token_as_user("https://0123456789abcdef0123456789abcdef@sentry.io/7", "https://***@sentry.io/7")]
#[case::mysql("shop:hunter2@tcp(db.shop:3306)/orders", "shop:***@tcp(db.shop:3306)/orders")]
#[case::assignment("password=hunter2 user=shop", "password=*** user=shop")]
#[case::arrow("password => hunter2", "password => ***")]
#[case::ruby(":password=>\"hunter2\"", ":password=>\"***\"")]
#[case::sentence("fatal password 'hunter2' rejected", "fatal password *** rejected")]
#[case::using("using password hunter2 for user shop", "using password *** for user shop")]
#[case::xml("<password>hunter2</password>", "<password>***</password>")]
#[case::curl("curl -s -u shop:hunter2 https://x", "curl -s -u shop:*** https://x")]
#[case::mysql_command("mysql -u root -phunter2 orders", "mysql -u root -p*** orders")]
#[case::connection_string(
    "Server=db,1433;User Id=sa;Password=hunter2;Encrypt=true",
    "Server=db,1433;User Id=sa;Password=***;Encrypt=true"
)]
#[case::nested_assignment("--set key=password=hunter2", "--set key=password=***")]
#[case::coloured("\u{1b}[36mpassword\u{1b}[0m=hunter2 \u{1b}[1;31mERROR\u{1b}[0m", "password=*** ERROR")]
#[case::quoted(r#"api_key="hunter2 with blanks" x=1"#, r#"api_key="***" x=1"#)]
#[case::json(
    r#"{"user":"shop","password":"hunter2","port":5432}"#,
    r#"{"user":"shop","password":"***","port":5432}"#
)]
#[case::escaped_json(r#"{\"password\":\"hunter2\",\"a\":1}"#, r#"{\"password\":\"***\",\"a\":1}"#)]
#[case::query("GET /x?access_token=hunter2&page=2", "GET /x?access_token=***&page=2")]
#[case::yaml("db:\n  user: shop\n  password: hunter2 # old\n", "db:\n  user: shop\n  password: *** # old\n")]
#[case::passphrase("passphrase: correct horse battery", "passphrase: ***")]
#[case::properties("spring.datasource.password = hunter2", "spring.datasource.password = ***")]
#[case::flag("run --db-password hunter2 --verbose", "run --db-password *** --verbose")]
#[case::header("Authorization: Basic c2hvcDpodW50ZXIy", "Authorization: Basic ***")]
#[case::bearer("sent bearer 8f14e45fceea167a5a36dedd4bea2543", "sent bearer ***")]
#[case::jwt("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJzaG9wIn0.c2lnbmF0dXJl today", "got *** today")]
#[case::aws("key AKIAIOSFODNN7EXAMPLE is inactive", "key *** is inactive")]
#[case::github("ghp_0123456789abcdefghij0123456789abcdef", "***")]
#[case::slack(
    "post https://hooks.slack.com/services/T000/B000/XXXX failed",
    "post https://hooks.slack.com/services/*** failed"
)]
#[case::private_key(
    "a\n-----BEGIN RSA PRIVATE KEY-----\nMIIEow\nIBAAKC\n-----END RSA PRIVATE KEY-----\nb",
    "a\n***\nb"
)]
#[case::private_key_in_a_log(
    "T1 -----BEGIN PRIVATE KEY-----\nT2 MIIEvQIBADANBgkqhkiG9w0BAQ\nT3 done",
    "T1 -----BEGIN PRIVATE KEY-----\nT2 ***\nT3 done"
)]
#[case::cut_private_key(
    "MIIEvQIBADANBgkqhkiG9w0BAQ\nMIIEvQIBADANBgkqhkiG9w0BAR\n-----END PRIVATE KEY-----",
    "***\n***\n-----END PRIVATE KEY-----"
)]
fn a_credential_in_a_text_is_replaced(#[case] before: &str, #[case] after: &str) {
    assert_eq!(text(before), after);
}

#[rstest]
#[case::digest(
    "docker-pullable://localhost:5000/shop/app@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c"
)]
#[case::image("public.ecr.aws/docker/library/postgres:16.4@sha256:9f86d081884c7d65")]
#[case::uid("pod uid=5c7a3b2e-8f1d-4f0e-9a7b-2c6d1e0f3a4b")]
#[case::selector("app=web,tier!=data,pod-template-hash=7bf656bc87")]
#[case::missing_key("couldn't find key password in Secret shop/orders-db")]
#[case::missing_secret_key("references non-existent secret key: DB_URL")]
#[case::missing_secret(r#"Error: secret "orders-db" not found"#)]
#[case::named_secret(r#"reconciling secret="shop/orders-db" attempt=2"#)]
#[case::token_error("failed to fetch token: serviceaccounts \"web\" not found")]
#[case::sentence("the bearer authentication-configuration is missing; authorization: denied")]
#[case::url_with_port("Get \"http://10.0.0.7:8080/healthz?mail=a@b.example\": connect: connection refused")]
#[case::ipv6("http://[fd00::1]:8080/users/a@b.example")]
#[case::user("ssh://git@github.com/shop/app.git")]
#[case::variables("postgres://$(DB_USER):$(DB_PASSWORD)@db:5432/x password=$(DB_PASSWORD) token=${TOKEN}")]
#[case::files("--private-key-file=/etc/tls/key.pem --token-ttl=24h password=/run/secrets/db/password")]
#[case::numbers("max_tokens=4096 tokens: 17 monkey=7 keyspace=orders")]
#[case::certificate(
    "-----BEGIN CERTIFICATE-----\nMIIDdzCCAl+gAwIBAgIEAgAAuTANBgkqhkiG9w0B\n-----END CERTIFICATE-----"
)]
#[case::mention("expected -----BEGIN PRIVATE KEY-----\nlistening on port 8080")]
#[case::pod_name("pod sk-worker-7bf656bc87-sq2j2 is ready")]
fn what_a_diagnosis_needs_stays(#[case] text: &str) {
    assert_eq!(self::text(text), text);
}

#[test]
fn a_secret_keeps_its_keys_and_its_empty_values() {
    let secret = redacted(json!({
        "apiVersion": "v1", "kind": "Secret", "type": "Opaque", "metadata": { "name": "orders-db" },
        "data": { "password": "aHVudGVyMg==", "empty": "" }, "stringData": { "user": "shop" },
    }));
    assert_eq!(secret["data"], json!({ "password": DATA_MARK, "empty": "" }));
    assert_eq!(secret["stringData"], json!({ "user": MARK }));
    assert_eq!(secret["metadata"]["name"], "orders-db");
}

#[test]
fn copies_of_the_object_in_its_metadata_are_left_out() {
    let applied = r#"{"apiVersion":"v1","kind":"Secret","data":{"password":"aHVudGVyMg=="}}"#;
    let object = redacted(json!({ "kind": "Secret", "metadata": {
        "name": "orders-db", "managedFields": [{ "manager": "kubectl" }],
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": applied,
            "gitops.example/original": applied,
            "note": "kept",
        },
    } }));
    assert_eq!(object["metadata"], json!({ "name": "orders-db", "annotations": { "note": "kept" } }));
}

/// The environment variables of a container in a pod, and the same in a CronJob's template.
fn with_env(name: &str, value: &str) -> [Value; 2] {
    let spec = json!({ "containers": [{ "name": "app", "env": [{ "name": name, "value": value }] }] });
    [
        json!({ "kind": "Pod", "spec": spec }),
        json!({ "kind": "CronJob", "spec": { "jobTemplate": { "spec": { "template": { "spec": spec } } } } }),
    ]
}

#[rstest]
#[case("DB_PASSWORD", "hunter2", "***")]
#[case("PGPASSWORD", "hunter2", "***")]
#[case("ApiKey", "hunter2", "***")]
#[case("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI", "***")]
#[case("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE", "***")]
#[case("DATABASE_URL", "postgres://shop:hunter2@db:5432/x", "postgres://shop:***@db:5432/x")]
#[case("SECRET_URL", "https://vault.shop.svc:8200/v1", "https://vault.shop.svc:8200/v1")]
#[case("JAVA_OPTS", "-Xmx1g -Ddb.password=hunter2", "-Xmx1g -Ddb.password=***")]
#[case("PASSWORD_FILE", "hunter2.txt", "hunter2.txt")]
#[case("SECRET_NAME", "orders-db", "orders-db")]
#[case("USE_TOKEN", "false", "false")]
#[case("DB_PASSWORD", "$(FROM_SECRET)", "$(FROM_SECRET)")]
#[case("GOOGLE_APPLICATION_CREDENTIALS", "/var/run/gcp/key.json", "/var/run/gcp/key.json")]
#[case("MAX_TOKENS", "4096", "4096")]
#[case("LOG_LEVEL", "debug", "debug")]
fn environment_variables_show_no_credential(#[case] name: &str, #[case] value: &str, #[case] expected: &str) {
    for (object, clean) in with_env(name, value).into_iter().zip(with_env(name, expected)) {
        assert_eq!(redacted(object), clean);
    }
}

#[test]
fn references_to_secrets_stay() {
    let pod = json!({ "kind": "Pod", "spec": {
        "imagePullSecrets": [{ "name": "registry-token" }],
        "volumes": [{ "name": "password", "secret": { "secretName": "orders-db" } }],
        "containers": [{ "name": "app", "env": [
            { "name": "DB_PASSWORD", "valueFrom": { "secretKeyRef": { "name": "orders-db", "key": "password" } } },
        ] }],
    } });
    assert_eq!(redacted(pod.clone()), pod);
}

#[test]
fn commands_and_arguments_show_no_credential() {
    let arguments = |words: Value| json!({ "kind": "Pod", "spec": { "containers": [{ "args": words }] } });
    let pod = arguments(json!([
        "--db-password",
        "hunter2",
        "--api-token=abc",
        "sh -c 'PASSWORD=x run'",
        "--port",
        "80"
    ]));
    let clean = arguments(json!([
        "--db-password",
        "***",
        "--api-token=***",
        "sh -c 'PASSWORD=*** run'",
        "--port",
        "80"
    ]));
    assert_eq!(redacted(pod), clean);
}

#[test]
fn config_maps_show_no_credential_and_keep_the_rest() {
    let map = redacted(json!({ "kind": "ConfigMap", "data": {
        "db.password": "hunter2", "LOG_LEVEL": "debug",
        "app.yaml": "db:\n  host: db.shop.svc\n  password: hunter2\n",
    }, "binaryData": { "store.jks": "AAAA" } }));
    assert_eq!(map["data"]["db.password"], MARK);
    assert_eq!(map["data"]["LOG_LEVEL"], "debug");
    assert_eq!(map["data"]["app.yaml"], "db:\n  host: db.shop.svc\n  password: ***\n");
    assert_eq!(map["binaryData"], json!({ "store.jks": DATA_MARK }));
}

#[test]
fn custom_resources_show_no_credential_in_their_fields() {
    let object = redacted(json!({ "kind": "Connection", "spec": {
        "adminPassword": "hunter2", "clientSecret": "hunter2", "tokenSecretRef": { "key": "token" },
        "secretKey": "password", "selector": { "password": "label" },
    } }));
    assert_eq!(
        object["spec"],
        json!({
            "adminPassword": "***", "clientSecret": "***", "tokenSecretRef": { "key": "token" },
            "secretKey": "password", "selector": { "password": "label" },
        })
    );
}

/// Texts from pieces that matter to the patterns, in any order.
fn confusing_text() -> impl Strategy<Value = String> {
    let pieces = [
        "password",
        "token",
        "secret",
        "api_key",
        "DB_PWD",
        "Authorization",
        "Bearer ",
        "=",
        ":",
        ": ",
        "\"",
        "'",
        "\\\"",
        " ",
        "\n",
        "@",
        "/",
        "://",
        "postgres",
        "user",
        "tcp(",
        "--",
        "-",
        "$(X)",
        "${Y}",
        "***",
        "hunter2",
        "eyJhbGciOiJI",
        ".",
        "abcd1234",
        "AKIAIOSFODNN7EXAMPLE",
        "-----BEGIN PRIVATE KEY-----",
        "-----END PRIVATE KEY-----",
        "MIIEvQIBADANBgkqhkiG9w0BAQ",
        "#",
        ",",
        ";",
        "&",
        "{",
        "}",
        "[",
        "]",
        "|",
        "\t",
        "ü",
        "http://h:80",
        "\\",
        "key",
        "hooks.slack.com/services/",
        "T0/B0",
    ];
    proptest::collection::vec(
        prop_oneof![4 => proptest::sample::select(pieces.to_vec()).prop_map(str::to_owned),
        1 => "[ -~]{0,6}"],
        0..24,
    )
    .prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn doing_it_twice_changes_nothing(input in confusing_text()) {
        let once = text(&input);
        prop_assert_eq!(text(&once), once);
    }

    #[test]
    fn objects_too(name in confusing_text(), value in confusing_text(), field in "[a-zA-Z]{0,10}(Password|Token|Key)?") {
        let pod = json!({ "env": [{ "name": name, "value": value }], "args": [name, value], field: value });
        let map = json!({ "kind": "ConfigMap", "data": { name: value } });
        for object in [pod, map] {
            let once = redacted(object);
            prop_assert_eq!(redacted(once.clone()), once);
        }
    }

    #[test]
    fn a_password_in_a_url_never_stays(password in "[a-zA-Z0-9!%^*()_+=.~-]{6,20}", prefix in confusing_text()) {
        let shown = text(&format!("{prefix} mysql://shop:{password}@db.shop.svc:3306/orders"));
        prop_assert!(!shown.contains(&format!(":{password}@")), "{}", shown);
    }
}
