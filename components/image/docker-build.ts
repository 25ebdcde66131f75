import { Image } from "@pulumi/docker-build";
import * as pulumi from "@pulumi/pulumi";
import { type CacheSetting, cacheOptions, PUSHED_AS } from "../../core/build-options.ts";
import { SOURCE_DATE_EPOCH } from "../../core/epoch.ts";
import { platformSlug } from "../../core/platform.ts";
import { uncheckedTag } from "../../core/tags.ts";
import { indexAddress, isVolume, WHEELHOUSE_SECRET, type Wheelhouse } from "../../core/wheelhouse.ts";
import { BuildContextResource, type RegistryInputs, type SourceArgs } from "./keelson.ts";

/**
 * Builds and pushes an image's platforms with Pulumi's `docker-build:index:Image`, one for each: its node builds it
 * natively where it can, and the others stay when one fails. For {@link ImageArgs.buildPlatforms}.
 * @example new Image("web", { …, buildPlatforms }); // web-context, web-linux-amd64, web-linux-arm64, and web over them
 */
export function buildPlatforms(
  name: string,
  source: SourceArgs,
  cache: CacheSetting,
  options: pulumi.CustomResourceOptions,
): Readonly<Record<string, pulumi.Output<string>>> {
  const { imageName, repository, contentHash } = source;
  // The resource takes context hashes from modes and the wrong ignore files: it sees staged bytes, under a relative path.
  const context = new BuildContextResource(`${name}-context`, source, options);
  const digests = source.builds.map(({ platform }): [string, pulumi.Output<string>] => {
    const own = context.platforms.apply((platforms) => platforms[platform] ?? { builder: "", contexts: {} });
    const caches = context.host.apply((host) => cacheOptions(cache, { name: imageName, repository, host }, platform));
    const image = new Image(
      `${name}-${platformSlug(platform)}`,
      {
        builder: { name: own.builder },
        platforms: [platform],
        context: {
          location: context.location,
          named: own.contexts.apply((named) =>
            Object.fromEntries(Object.entries(named).map(([key, location]) => [key, { location }])),
          ),
        },
        dockerfile: { location: context.dockerfile },
        ...(source.target === undefined ? {} : { target: source.target }),
        buildArgs: {
          ...source.args,
          BASE_IMAGE: context.baseRef,
          SOURCE_DATE_EPOCH: String(SOURCE_DATE_EPOCH),
          // Every FROM takes its base as an argument without a default here; the resource would warn of each.
          BUILDKIT_DOCKERFILE_CHECK: "skip=InvalidDefaultArgInFrom",
        },
        // Names the content hash, so that a preview knows of every change; a refresh finds by it what is gone.
        tags: [pulumi.interpolate`${context.host}/${repository}:${uncheckedTag(contentHash, platform)}`],
        exports: [{ raw: `type=image,${PUSHED_AS}` }],
        cacheFrom: caches.from.apply((from) => from.map((raw) => ({ raw }))),
        cacheTo: caches.to.apply((to) => to.map((raw) => ({ raw }))),
        registries: login(context.host, source.registry),
        ...(source.wheelhouse === undefined ? {} : { secrets: secrets(source.wheelhouse) }),
        buildOnPreview: false,
        push: false,
      },
      // A replaced image would take the digest along that was just pushed.
      { ...options, retainOnDelete: true },
    );
    return [platform, image.digest];
  });
  return Object.fromEntries(digests);
}

/** For steps that ask for it: the address of a wheelhouse's index. */
function secrets(wheelhouse: pulumi.Input<Wheelhouse>): pulumi.Output<Record<string, string>> {
  return pulumi.secret(
    pulumi
      .output(wheelhouse)
      .apply((one): Record<string, string> => (isVolume(one) ? {} : { [WHEELHOUSE_SECRET]: indexAddress(one) })),
  );
}

/** Credentials of the stack; without them the docker config's are used. */
function login(address: pulumi.Output<string>, { username, password }: RegistryInputs) {
  return username === undefined || password === undefined ? [] : [{ address, username, password }];
}
