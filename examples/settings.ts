/** Where the examples find their services, and what they call their topics. */
const { BROKERS = "localhost:9092", MONGO_URL = "mongodb://localhost:27017/examples", TOPIC = "prices" } = process.env;

/** A configuration of KafkaJS: an application hands over the one that it has. */
export const kafka = { clientId: "examples", brokers: BROKERS.split(",") };
export const mongoUrl = MONGO_URL;
/** The hot topic, and where its relay puts what. */
export const topics = { hot: TOPIC, wide: `${TOPIC}.wide`, backfill: `${TOPIC}.backfill` };
