package dev.recurrent.zoo;

import ai.djl.repository.zoo.ModelZoo;
import java.util.Set;

/**
 * DeltaNet, Gated DeltaNet, Mamba-2, Hawk, Griffin and what they are compared with, for DJL's
 * Criteria: nothing is downloaded.
 *
 * <pre>{@code
 * Criteria<String, String> criteria =
 *         Criteria.builder()
 *                 .setTypes(String.class, String.class)
 *                 .optGroupId("dev.recurrent")
 *                 .optArtifactId("gated-deltanet")
 *                 .optFilter("size", "tiny")
 *                 .build();
 * }</pre>
 *
 * The filter {@code size} names one of the entry's presets ({@code tiny} without it), the option
 * {@code seed} the weights of an entry that has no trained ones.
 */
public final class RecurrentModelZoo extends ModelZoo {

    /** The group id. */
    public static final String GROUP_ID = "dev.recurrent";

    /**
     * Constructs the zoo. DJL does so while its class {@code ModelZoo} initialises, for every user,
     * so nothing is read here and no engine started. It may even do so before this class has
     * initialised its own fields: there must not be any.
     */
    public RecurrentModelZoo() {
        PresetRepository repository = new PresetRepository();
        for (String artifactId : PresetRepository.ENTRIES) {
            addModel(new PresetLoader(repository.entry(artifactId)));
        }
    }

    @Override
    public String getGroupId() {
        return GROUP_ID;
    }

    @Override
    public Set<String> getSupportedEngines() {
        return Set.of("PyTorch");
    }
}
