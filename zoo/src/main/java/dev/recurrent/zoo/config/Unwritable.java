package dev.recurrent.zoo.config;

import dev.recurrent.blocks.LanguageModelConfig;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;

/** What upstream formats cannot say. */
final class Unwritable {

    private Unwritable() {}

    /** Refuses a model that a format has no words for. */
    static void unless(boolean writable, String type, String what) {
        if (!writable) {
            throw new IllegalArgumentException("A " + type + " configuration needs " + what);
        }
    }

    /** Returns what several parts of a model must have in common. */
    static <T, R> R common(List<T> parts, Function<T, R> property, String type, String what) {
        List<R> values = parts.stream().map(property).distinct().toList();
        unless(values.size() == 1, type, "one " + what + ", not " + values);
        return values.get(0);
    }

    /** Returns the mixers of one kind, in the order of the layers. */
    static <T> List<T> mixers(LanguageModelConfig model, Class<T> kind) {
        return model.layers().stream()
                .map(layer -> layer.mixer())
                .filter(kind::isInstance)
                .map(kind::cast)
                .toList();
    }

    /** Returns the indices of the layers whose mixer is of one kind. */
    static List<Integer> indices(LanguageModelConfig model, Class<?> kind) {
        return IntStream.range(0, model.layers().size())
                .filter(i -> kind.isInstance(model.layers().get(i).mixer()))
                .boxed()
                .toList();
    }
}
