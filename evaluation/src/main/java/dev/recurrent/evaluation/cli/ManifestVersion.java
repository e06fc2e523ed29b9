package dev.recurrent.evaluation.cli;

import picocli.CommandLine.IVersionProvider;

/** The version in the jar's manifest. */
final class ManifestVersion implements IVersionProvider {

    @Override
    public String[] getVersion() {
        String version = Main.class.getPackage().getImplementationVersion();
        return new String[] {"recurrent " + (version == null ? "(not packaged)" : version)};
    }
}
