package dev.recurrent.zoo;

import ai.djl.repository.zoo.ModelZoo;
import ai.djl.repository.zoo.ZooProvider;

/** Announces {@link RecurrentModelZoo} to DJL. */
public final class RecurrentZooProvider implements ZooProvider {

    @Override
    public ModelZoo getModelZoo() {
        return new RecurrentModelZoo();
    }
}
