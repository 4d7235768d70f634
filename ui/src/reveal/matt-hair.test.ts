import { BoxGeometry, Group, Mesh, MeshStandardMaterial } from 'three';
import { expect, it } from 'vitest';
import { HAIR_ROUGHNESS, makeHairMatt } from './matt-hair';

it('makes hair matt, and leaves skin, eyes and hair that is matt already', () => {
  const create = (materialName: string, meshName: string, roughness: number) => {
    const mesh = new Mesh(new BoxGeometry(), new MeshStandardMaterial({ name: materialName, roughness }));
    mesh.name = meshName;
    return mesh;
  };
  const meshes = [
    create('hair', 'head_2', 0.62),
    create('Material.003', 'Hair_Long', 0.4),
    create('skin', 'head_0', 0.58),
    create('eyes', 'head_1', 0.12),
    create('beard', 'head_3', 0.95),
  ];
  makeHairMatt(new Group().add(...meshes));
  expect(meshes.map(({ material }) => material.roughness)).toEqual([
    HAIR_ROUGHNESS,
    HAIR_ROUGHNESS,
    0.58,
    0.12,
    0.95,
  ]);
});
