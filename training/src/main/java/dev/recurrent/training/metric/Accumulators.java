package dev.recurrent.training.metric;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/** A DJL evaluator's accumulators, by key. Several threads may add to them. */
final class Accumulators {

    private final String evaluator;
    private final Map<String, Tally> tallies = new ConcurrentHashMap<>();

    Accumulators(String evaluator) {
        this.evaluator = evaluator;
    }

    void reset(String key) {
        tallies.put(key, Tally.NONE);
    }

    void add(String[] keys, Tally tally) {
        for (String key : keys) {
            if (tallies.computeIfPresent(key, (k, before) -> before.plus(tally)) == null) {
                throw missing(key);
            }
        }
    }

    Tally get(String key) {
        Tally tally = tallies.get(key);
        if (tally == null) {
            throw missing(key);
        }
        return tally;
    }

    private IllegalArgumentException missing(String key) {
        return new IllegalArgumentException(
                evaluator + " has no accumulator '" + key + "': add it with addAccumulator first");
    }
}
