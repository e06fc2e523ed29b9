package dev.recurrent.zoo.preset;

import java.util.List;
import java.util.Optional;
import java.util.stream.Stream;

/** All presets. */
public final class Presets {

    private static final List<Preset> ALL =
            Stream.concat(DeltaPresets.all().stream(), GriffinPresets.all().stream()).toList();

    private Presets() {}

    /** Returns all presets. */
    public static List<Preset> all() {
        return ALL;
    }

    /** Returns the presets of an entry, the tiny one first. */
    public static List<Preset> of(String artifactId) {
        return ALL.stream().filter(preset -> preset.artifactId().equals(artifactId)).toList();
    }

    /**
     * Finds a preset.
     *
     * @param artifactId its entry in the zoo
     * @param size its size
     * @return the preset, if there is one
     */
    public static Optional<Preset> find(String artifactId, String size) {
        return of(artifactId).stream().filter(preset -> preset.size().equals(size)).findFirst();
    }
}
