package dev.recurrent.zoo.generation;

import dev.recurrent.blocks.torch.MatrixPrecision;
import java.math.BigDecimal;
import java.util.Collection;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.function.BiConsumer;

/**
 * Generation options by name, as they stand in requests, in {@code serving.properties} and in zoo
 * entries: {@code max_new_tokens}, {@code temperature}, {@code top_k}, {@code top_p}, {@code
 * repetition_penalty}, {@code seed}, {@code stop} (a string or several), {@code stop_token_ids},
 * {@code ignore_eos_token}, {@code prefill_chunk} and {@code do_sample}. Names may also be written
 * in camel case. Numbers may be strings, and integers may come as 3.0.
 */
final class GenerationArguments {

    private static final Map<String, BiConsumer<GenerationConfig.Builder, Object>> OPTIONS =
            new TreeMap<>(
                    Map.of(
                            "max_new_tokens",
                                    (b, v) -> b.optMaxNewTokens(integer(v).intValueExact()),
                            "temperature", (b, v) -> b.optTemperature(number(v)),
                            "top_k", (b, v) -> b.optTopK(integer(v).intValueExact()),
                            "top_p", (b, v) -> b.optTopP(number(v)),
                            "repetition_penalty", (b, v) -> b.optRepetitionPenalty(number(v)),
                            "seed", (b, v) -> b.optSeed(integer(v).longValueExact()),
                            "stop", (b, v) -> b.optStopStrings(strings(v)),
                            "stop_token_ids", (b, v) -> b.optStopIds(ids(v)),
                            "ignore_eos_token", (b, v) -> b.optIgnoreEndOfText(flag(v)),
                            "prefill_chunk",
                                    (b, v) -> b.optPrefillChunk(integer(v).intValueExact())));

    private static final String SAMPLE = "do_sample";
    private static final String PRECISION = "precision";

    private GenerationArguments() {}

    /**
     * Reads options from a map in which others may stand too.
     *
     * @throws IllegalArgumentException if a value does not fit, naming the option
     */
    static GenerationConfig lenient(GenerationConfig defaults, Map<String, ?> arguments) {
        return read(defaults, arguments, false);
    }

    /**
     * Reads options from a map in which nothing else may stand.
     *
     * @throws IllegalArgumentException if a value does not fit or an option is unknown, naming it
     */
    static GenerationConfig strict(GenerationConfig defaults, Map<String, ?> arguments) {
        return read(defaults, arguments, true);
    }

    /**
     * Reads the type of products, which belongs to a model and not to a request.
     *
     * @return null where nobody chose
     * @throws IllegalArgumentException if it is none
     */
    static MatrixPrecision precision(Map<String, ?> arguments) {
        Object value = arguments.get(PRECISION);
        if (value == null) {
            return null;
        }
        try {
            return MatrixPrecision.valueOf(value.toString().toUpperCase(Locale.ROOT));
        } catch (IllegalArgumentException e) {
            throw new IllegalArgumentException(
                    PRECISION + " must be full, bfloat16 or float16, not " + value, e);
        }
    }

    private static GenerationConfig read(
            GenerationConfig defaults, Map<String, ?> arguments, boolean strict) {
        GenerationConfig.Builder builder = defaults.toBuilder();
        Object sample = null;
        for (Map.Entry<String, ?> argument : arguments.entrySet()) {
            String name = snakeCase(argument.getKey());
            Object value = argument.getValue();
            if (name.equals(SAMPLE)) {
                sample = value;
            } else if (OPTIONS.containsKey(name)) {
                set(builder, name, value);
            } else if (strict) {
                throw new IllegalArgumentException(
                        "Unknown generation option "
                                + argument.getKey()
                                + "; known are "
                                + SAMPLE
                                + " and "
                                + OPTIONS.keySet());
            }
        }
        GenerationConfig config = builder.build();
        return sample == null ? config : sampled(config, flag(sample));
    }

    private static void set(GenerationConfig.Builder builder, String name, Object value) {
        if (value == null) {
            return;
        }
        try {
            OPTIONS.get(name).accept(builder, value);
        } catch (RuntimeException e) {
            throw new IllegalArgumentException(
                    "Generation option " + name + " cannot be " + value, e);
        }
    }

    private static GenerationConfig sampled(GenerationConfig config, boolean sample) {
        if (sample && config.temperature() > 0) {
            return config;
        }
        return config.toBuilder().optTemperature(sample ? 1 : 0).build();
    }

    private static String snakeCase(String name) {
        return name.replaceAll("([a-z])([A-Z])", "$1_$2").toLowerCase(Locale.ROOT);
    }

    private static BigDecimal integer(Object value) {
        return new BigDecimal(value.toString().trim());
    }

    private static double number(Object value) {
        return Double.parseDouble(value.toString());
    }

    private static boolean flag(Object value) {
        return switch (value.toString().toLowerCase(Locale.ROOT)) {
            case "true" -> true;
            case "false" -> false;
            default -> throw new IllegalArgumentException(value + " is neither true nor false");
        };
    }

    private static List<String> strings(Object value) {
        return value instanceof Collection<?> values
                ? values.stream().map(Object::toString).toList()
                : List.of(value.toString());
    }

    private static Set<Long> ids(Object value) {
        Collection<?> values = value instanceof Collection<?> several ? several : List.of(value);
        Set<Long> ids = new HashSet<>();
        values.forEach(id -> ids.add(integer(id).longValueExact()));
        return ids;
    }
}
